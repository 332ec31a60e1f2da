"""``python -m jaxclr.predict --run RUN IMAGES...``: what a finished run says of images in files."""

import argparse
import contextlib
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxclr.errors import InputError, JaxclrError, exit_code

# What takes long to import comes in later: --help need not wait for it.
if TYPE_CHECKING:
    from rich.console import Console

    from jaxclr.pipeline.files import Entry
    from jaxclr.predict.screen import Screen
    from jaxclr.predict.writers import Write
    from jaxclr.saved import Saved

PROGRAM = "python -m jaxclr.predict"
ABOUT = (
    "Classify images by the network of a finished run: by the function that the run was tested by, "
    "scaled and cut as there. Images that cannot be read are named and left out."
)
INTERRUPTED = "No file is left half-written; of the rows on standard output some may be missing."
TABLES, ARCHIVES = (".csv", ".parquet"), (".npz", ".parquet")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0, 1 for a failure, 2 for bad input."""
    given = sys.argv[1:] if argv is None else list(argv)
    return exit_code(lambda: _unless_left(given), interrupted=INTERRUPTED)


def _unless_left(argv: list[str]) -> int:
    """Ends quietly where the program that reads the rows, such as ``head``, has seen enough."""
    try:
        code = _main(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _drop_rows()
        return 0


def _drop_rows() -> None:
    """Sends standard output nowhere, what is left in its buffer too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Beside:
    """Standard output beside another output, which goes on when nobody reads this one any more."""

    def write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
        except BrokenPipeError:
            _drop_rows()


def _main(argv: list[str]) -> int:
    chosen = _parser().parse_args(argv)
    if chosen.batch_size < 1 or chosen.top < 1:
        raise InputError("--batch-size and --top are at least 1.")

    from rich.console import Console

    from jaxclr.predict.listing import list_images
    from jaxclr.predict.writers import refuse_suffix, text_of
    from jaxclr.saved import read_saved

    for path, allowed in ((chosen.output, TABLES), (chosen.features, ARCHIVES)):
        if path is not None:
            refuse_suffix(path, allowed)
    if None not in (both := (chosen.output, chosen.features)) and _are_one(*both):
        raise InputError(f"--output and --features are the same file, {chosen.output}. Give two.")
    saved = read_saved(chosen.run)
    saved = saved._replace(classes=tuple(map(text_of, saved.classes)))
    classifies = _classifies(saved, chosen)
    entries = list_images(chosen.images)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return _predict(saved, entries, chosen, errors, classifies)


def _are_one(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, allow_abbrev=False)
    parser.add_argument(
        "images", metavar="IMAGES", nargs="+", type=Path,
        help="files, and folders or zips, of which all images are taken, sorted by their names",
    )  # fmt: skip
    parser.add_argument(
        "--run", metavar="RUN", type=Path, required=True,
        help="folder of a finished run, such as runs/digits_fixclr/print/seed1",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="FILE", type=Path,
        help="write predictions into a .csv or .parquet file instead of showing them",
    )  # fmt: skip
    parser.add_argument(
        "--features", metavar="FILE", type=Path,
        help="write the features of images, too, into a .npz or .parquet file",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", metavar="N", type=int, default=128, help="images predicted at once (128)"
    )
    parser.add_argument(
        "--top", metavar="N", type=int, default=5, help="how many of the likeliest classes (5)"
    )
    return parser


def _classifies(saved: "Saved", chosen: argparse.Namespace) -> bool:
    """Whether classes are told; of a network that was tested by a probe, features alone are.

    Raises:
        InputError: Classes are asked for, and there is nobody to tell them.
    """
    from jaxclr.probe import Probe

    if not isinstance(saved.experiment.evaluation, Probe):
        return True
    if chosen.output is not None or chosen.features is None:
        raise InputError(
            f"{chosen.run}: the experiment is tested by a probe on its features; it has trained no "
            "classifier that could tell classes. Give --features alone."
        )
    return False


def _predict(
    saved: "Saved", entries: "Sequence[Entry]", chosen: argparse.Namespace, errors: "Console",
    classifies: bool,
) -> int:  # fmt: skip
    from rich.text import Text

    from jaxclr.pipeline.files import printable
    from jaxclr.predict.rows import predict
    from jaxclr.progress import Tally

    skips, later, begun = 0, 0, 0.0

    def skipped(message: str) -> None:
        nonlocal skips
        skips += 1
        errors.print(Text(f"skipped {message}"))

    with contextlib.ExitStack() as stack:
        writes, screen = _outputs(saved, chosen, stack, classifies)
        with Tally(errors, "predicting", len(entries)) as tally:
            found = predict(saved, entries, skipped, batch_size=chosen.batch_size, told=tally.step)
            for rows in stack.enter_context(contextlib.closing(found)):
                for write in writes:
                    write(rows)
                # The first batch waits for the compiler.
                later += len(rows.path) if begun else 0
                begun = begun or time.monotonic()
            seconds = time.monotonic() - begun
        if skips == len(entries):
            raise JaxclrError("No image could be read.")
    if screen is not None:
        screen.show()
    count = len(entries) - skips
    pace = f", {later / seconds:,.0f} a second once compiled" if later else ""
    told = [f"{count:,} image{'s' * (count != 1)} predicted{pace}"]
    told += [f"{skips:,} of {len(entries):,} skipped"] if skips else []
    told += [f"Predictions: {chosen.output}"] if chosen.output else []
    told += [f"Features: {chosen.features}"] if chosen.features else []
    for line in told:
        errors.print(Text(printable(line)))
    return 0


def _outputs(
    saved: "Saved", chosen: argparse.Namespace, stack: contextlib.ExitStack, classifies: bool
) -> "tuple[list[Write], Screen | None]":
    """All that takes what is predicted; and what of it is shown at the end, on a terminal."""
    from jaxclr.predict import writers as to
    from jaxclr.predict.screen import Screen

    writes: list[Write] = []
    path, features, classes = chosen.output, chosen.features, saved.classes
    if features is not None:
        archive = features.suffix.lower() == ".npz"
        open_features = to.features_npz if archive else to.features_parquet
        writes.append(stack.enter_context(open_features(features, saved.network.width)))
    if not classifies:
        return writes, None
    if path is not None:
        open_table = to.csv_file if path.suffix.lower() == ".csv" else to.parquet_file
        writes.append(stack.enter_context(open_table(path, classes, chosen.top)))
    if sys.stdout.isatty():
        screen = Screen(classes, chosen.top, table=path is None)
        return [*writes, screen.write], screen
    if path is None:
        rows = _Beside() if writes else sys.stdout
        writes.append(stack.enter_context(to.csv_rows(rows, classes, chosen.top)))
    return writes, None
