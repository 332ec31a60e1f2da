"""The folder of a report: whole or not at all, and in nobody's way."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxclr.errors import InputError

PAGE = "index.html"
PARTS = {PAGE, "figures", "tables"}
"""All that is in a report's folder."""


def usual_output(folders: Sequence[Path]) -> Path:
    """Where the report of these experiments goes: beside a single one's runs, or beside them all.

    Args:
        folders: As they were given, one at least.
    """
    distinct = list(dict.fromkeys(folder.absolute() for folder in folders))
    if len(distinct) == 1:
        return folders[0] / "report"
    return Path(os.path.commonpath([folder.parent for folder in distinct])) / "report"


def refuse_others(output: Path) -> None:
    """Lets a report take the place of an earlier one, and of nothing else.

    Raises:
        InputError: There is a file, or a folder that holds more than a report.
    """
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise InputError(f"--output: {output} is no folder. Give another.")
    there = {path.name for path in output.iterdir()} if output.exists() else set()
    if there and (there - PARTS or PAGE not in there):
        other = sorted(there - PARTS or there)[0]
        raise InputError(
            f"--output: {output} holds {other!r}, which is not of a report, and writing one would "
            "remove it. Give another folder."
        )


@contextlib.contextmanager
def replacing_folder(output: Path) -> Iterator[Path]:
    """Gives an empty folder that takes the name ``output`` once the block has ended well.

    Otherwise what was there before stays. A process killed within leaves a folder beside it whose
    name ends in ``.tmp``.

    Raises:
        OSError: It cannot be written.
    """
    # Here, or the one above, has no name as it is given.
    output = Path(os.path.abspath(output))
    output.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(8)
    new, old = (output.with_name(f"{output.name}.{token}.{kind}.tmp") for kind in ("new", "old"))
    new.mkdir()
    try:
        yield new
        if output.exists():
            os.rename(output, old)
        try:
            os.rename(new, output)
        except OSError:
            if old.exists():
                os.rename(old, output)
            raise
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
