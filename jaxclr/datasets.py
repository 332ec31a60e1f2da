"""``python -m jaxclr.datasets``: which data sets are there, are they whole, and preparing them."""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxclr.errors import InputError, exit_code

# What takes long to import comes in later: --help need not wait for it.
if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from jaxclr.catalog import Stock
    from jaxclr.pipeline.findings import Finding
    from jaxclr.pipeline.source import Dataset
    from jaxclr.pipeline.verify import Report

PROGRAM = "python -m jaxclr.datasets"
WIDTH = 100
# How many images a finding names.
SHOWN = 5
LIST = "list the data sets, and what of them is on this disk (done also without a command)"
VERIFY = (
    "decode every image of a data set and compare all with what was published; ends with 0 if all "
    "is as it should be, 1 if something is not, 2 if there is nothing to verify"
)
PREPARE = "decode, and scale, every image of a data set once and for all"
MORE = "Every field of the card is a flag, too: see NAME --help."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0, 1 for a failure, 2 for bad input."""
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(
        lambda: _main(given),
        interrupted="The same command goes on where it stopped.",
        worded=_by_flags,
    )


def _main(argv: list[str]) -> int:
    parser, commands = _parsers()
    named = len(argv) > 1 and argv[0] in commands and not argv[1].startswith("-")
    asked = named and bool({"-h", "--help"} & set(argv[2:]))
    if asked:
        argv = [word for word in argv if word not in ("-h", "--help")]
    chosen, fields = parser.parse_known_args(argv)
    if chosen.command in (None, "list"):
        if fields:
            parser.error(f"unrecognized arguments: {' '.join(fields)}")
        return _list()
    if asked:
        print(commands[chosen.command].format_help())
        fields = ["--help"]
    elif chosen.root is not None:
        fields += ["--root", chosen.root]

    import tyro
    from rich.console import Console

    from jaxclr.catalog import card

    kind = card(chosen.name)
    dataset = tyro.cli(kind, args=fields, prog=f"{PROGRAM} {chosen.command} {chosen.name}")
    if chosen.command == "verify":
        return _verify(dataset, Console())
    return _prepare(dataset, chosen.out or _prepared_here(), chosen.size, Console())


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the command line, and those of the commands that take a name."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="What there is of data sets on this disk.", allow_abbrev=False
    )
    sub = parser.add_subparsers(dest="command", metavar="COMMAND")
    sub.add_parser("list", help=LIST, description=LIST)
    commands = {}
    for command, text in (("verify", VERIFY), ("prepare", PREPARE)):
        commands[command] = sub.add_parser(
            command, help=text, description=f"{text}. {MORE}", allow_abbrev=False
        )
        commands[command].add_argument("name", metavar="NAME", help="of the card, such as pacs")
        commands[command].add_argument(
            "--root", metavar="PATH", help="where the images are, if not where list looks for them"
        )
    commands["prepare"].add_argument(
        "--out", metavar="DIR", type=Path,
        help="where to; what --dataset.cache will name. By default $JAXCLR_DATA/prepared, else "
        "datasets/prepared",
    )  # fmt: skip
    commands["prepare"].add_argument(
        "--size", metavar="S", type=int,
        help="scale the shorter side to S pixels, unless it is smaller; by default all stay as "
        "they are",
    )  # fmt: skip
    return parser, commands


def _list() -> int:
    from rich.console import Console
    from rich.text import Text

    from jaxclr.catalog import names, stock

    console = Console()
    table = _table("data set", "on disk", "images of each domain, and where they are")
    for name in names():
        table.add_row(*map(Text, _shown(stock(name))))
    console.print(table, width=min(console.width, WIDTH), highlight=False)
    return 0


def _shown(stock: "Stock") -> tuple[str, str, str]:
    """The row of a data set."""
    from jaxclr.progress import amount

    size = "" if stock.size is None else amount(stock.size)
    images = ", ".join(f"{domain} {count:,}" for domain, count in stock.images)
    return stock.name, size, f"{images}\n{stock.where}" if images else _by_flags(stock.where)


def _verify(dataset: "Dataset", console: "Console") -> int:
    from rich.text import Text

    from jaxclr.pipeline.contents import contents
    from jaxclr.pipeline.verify import verify
    from jaxclr.progress import Tally

    there = contents(dataset)
    with Tally(console, f"{dataset.name}: decoding", there.total) as tally:
        report = verify(dataset, there, tally.step)
    found = there.total + len(there.bad)
    _say(
        console,
        f"{dataset.name}: {found:,} images of {len(there.classes)} classes in {len(there.parts)} "
        f"domains{f', at {there.origin}' if there.origin else ''}",
    )
    table = _table("domain", "usable", "published", "known bad", "unreadable")
    for count in report.counts:
        published = "not known" if count.published is None else count.published
        row = (count.domain, count.there, published, count.bad, count.unreadable)
        table.add_row(*(Text(f"{x:,}" if isinstance(x, int) else x) for x in row))
    console.print(table, width=min(console.width, WIDTH), highlight=False)
    for finding in report.findings:
        _tell(console, finding)
    _say(console, "No problem found." if report.clean else _counted(report))
    return 0 if report.clean else 1


def _counted(report: "Report") -> str:
    problems = sum(not finding.harmless for finding in report.findings)
    return f"{problems} problem{'s' if problems > 1 else ''} found."


def _tell(console: "Console", finding: "Finding") -> None:
    """Prints what was found, some examples of it, and what to do."""
    _say(console, f"{'note' if finding.harmless else 'problem'}: {_by_flags(finding.what)}")
    for example in finding.examples[:SHOWN]:
        _say(console, example, indent="    ")
    if (more := len(finding.examples) - SHOWN) > 0:
        _say(console, f"and {more:,} more", indent="    ")
    _say(console, _by_flags(finding.advice), indent="  ")


def _prepare(dataset: "Dataset", out: Path, size: int | None, console: "Console") -> int:
    from jaxclr.pipeline.prepare import check_space, measure, plan, prepare
    from jaxclr.pipeline.source import ImageFiles
    from jaxclr.progress import Tally, amount

    if not isinstance(dataset, ImageFiles):
        raise InputError(
            f"{dataset.name} needs no preparing: its images are not single files that would have "
            "to be found and opened."
        )
    steps = plan(dataset, out, size)
    if steps.damaged:
        files = ", ".join(shard.path.name for shard in steps.damaged)
        _say(console, f"Written anew, since their checksums are wrong: {files}")
    if steps.left:
        with Tally(console, f"{dataset.name}: measuring", steps.left) as tally:
            needed = 0
            for image in measure(steps):
                needed += image
                tally.step()
        free = check_space(steps, needed, amount)
        _say(
            console,
            f"{dataset.name}: {steps.left:,} of {steps.total:,} images are to be decoded; "
            f"{amount(needed)} needed, {amount(free)} free in {steps.folder}",
        )
        with Tally(console, f"{dataset.name}: decoding", steps.left) as tally:
            prepare(steps, skip_unreadable=dataset.skip_unreadable, told=tally.step)
        steps = plan(dataset, out, size)
    _say(
        console,
        f"{dataset.name}: {steps.total - steps.left:,} of {steps.total:,} images are prepared in "
        f"{steps.folder}, {amount(steps.held)}; all checksums are right.",
    )
    flags = [f"--dataset.root {dataset.root}"] if dataset.root else []
    flags.append(f"--dataset.cache {out}")
    if steps.unreadable:
        _say(console, f"Left out, since they cannot be decoded: {steps.unreadable:,} of them.")
        flags.append("--dataset.skip-unreadable")
    _say(console, f"To train on them: {' '.join(flags)}")
    return 0


def _prepared_here() -> Path:
    shared = os.environ.get("JAXCLR_DATA")
    return (Path(shared).expanduser() if shared else Path("datasets")) / "prepared"


def _table(first: str, *columns: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for column in columns:
        wide = column == columns[-1] and len(columns) == 2
        table.add_column(
            column,
            justify="left" if wide else "right",
            no_wrap=not wide,
            overflow="fold",
            ratio=1 if wide else None,
        )
    return table


def _say(console: "Console", text: str, indent: str = "") -> None:
    """Prints a paragraph that is never wider than a hundred columns."""
    width = min(console.width, WIDTH)
    lines = textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _by_flags(text: str) -> str:
    """Messages speak of an experiment's flags; here the card's fields are flags themselves."""
    return text.replace("--dataset.", "--")


if __name__ == "__main__":
    sys.exit(main())
