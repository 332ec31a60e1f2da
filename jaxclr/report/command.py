"""``python -m jaxclr.report runs/A runs/B``: one page of what runs came to."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxclr.errors import exit_code

ABOUT = """\
Writes a report of finished runs: one page with the tables, the figures and the
settings of an experiment, or of several beside each other, and the same as
PNG, SVG, CSV, Markdown and LaTeX."""


def main(argv: Sequence[str] | None = None) -> int:
    """Writes a report.

    Returns:
        The exit code: 0, 1 for a failure, 2 for bad input, 130 for an interruption.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(
        lambda: _main(given), interrupted="No report was written; an earlier one is as it was."
    )


def _main(argv: list[str]) -> int:
    chosen = _parser().parse_args(argv)

    from jaxclr.report.write import write_report

    page = write_report(chosen.folders, chosen.output, chosen.baseline, chosen.title)
    print(f"Report: {page}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jaxclr.report", description=ABOUT, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add(
        "folders", nargs="+", type=Path, metavar="FOLDER",
        help="of an experiment's runs, such as runs/digits_fixclr, or of one run",
    )  # fmt: skip
    add(
        "--baseline", type=Path, metavar="FOLDER",
        help="which of them the others are compared with (default: the first)",
    )  # fmt: skip
    add(
        "--output", type=Path, metavar="FOLDER",
        help="where the report is written; an earlier one there is replaced (default: report, in "
        "the folder of a single experiment, or in the one that holds them all)",
    )  # fmt: skip
    add("--title", help="the page's heading (default: the experiments' names)")
    return parser
