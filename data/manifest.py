"""Any images of one's own, wherever they lie: a table says what each shows and of which domain."""

import csv
import dataclasses
import math
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxclr.errors import InputError
from jaxclr.pipeline.files import Entry
from jaxclr.pipeline.rows import Row, gather
from jaxclr.pipeline.source import UNKNOWN, Collection, ImageFiles

NEEDED, FLAGS = ("path", "label", "domain"), ("train", "split")
TRUTH = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
}
FOLDS = {"train": True, **dict.fromkeys(("val", "valid", "validation", "crossval", "test"), False)}
# How many images that are not there a message names.
SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Manifest(ImageFiles):
    """Reads the images that a table lists: a CSV file with a header, or a Parquet file.

    ==========  ==================================================================================
    column      what is in it
    ==========  ==================================================================================
    ``path``    where the image is, below ``root``
    ``label``   its class, all by names or all by integers; empty, or -1: nobody noted it
    ``domain``  the name of its domain
    ``train``   if there is one: whether the image may be trained on; true or false, yes or no,
                1 or 0
    ``split``   if there is one, instead of ``train``: ``train``, or ``val``, ``crossval``, ``test``
    ==========  ==================================================================================

    Other columns are ignored. Classes are in the order of their names, or of their numbers. An
    image without a label is never drawn to keep one, and is not tested.
    """

    path: str | None = None
    """The table: .csv or .parquet."""

    root: str | None = None
    """Folder that the paths in the table start from; by default the one that the table is in."""

    def load(self) -> Collection:
        """Reads the table, and looks every image up.

        Raises:
            InputError: The table cannot be read; a line is not as it must be; an image is not
                there; or there are fewer than two domains or classes.
            JaxclrError: An image cannot be decoded, or the cache cannot be written.
        """
        if self.path is None:
            raise InputError("Which table lists the images? Give it by --dataset.path.")
        path = Path(self.path).expanduser()
        root = path.parent if self.root is None else Path(self.root).expanduser()
        cells = list(table(path))
        rows = [_row(f"{path}, {place}", place, of_one) for place, of_one in cells]
        groups, classes = gather(str(path), rows)
        entries = _entries(path, root, rows)
        domains = [
            self._opened(name, [entries[i] for i in places], paths, label, train)
            for name, paths, label, train, places in groups
        ]
        return Collection(tuple(domains), classes)


def table(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reads what a CSV or Parquet file says of images.

    Args:
        path: Of the file, whose suffix tells what it is.

    Yields:
        Where a row is, such as ``line 2``, and its cells by the names of their columns.

    Raises:
        InputError: The file cannot be read, or lacks a column.
    """
    readers = {".csv": _csv, ".parquet": _parquet, ".pq": _parquet}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: a table is a .csv or a .parquet file.")
    try:
        yield from readers[path.suffix.lower()](path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not CSV in UTF-8 ({error}).") from error


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # Spreadsheets put a mark before the first byte, which "utf-8-sig" passes over.
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        columns = _columns(path, next(reader, []))
        for cells in reader:
            place = f"line {reader.line_num}"
            if cells and len(cells) != len(columns):
                raise InputError(
                    f"{path}, {place}: {len(cells)} cells, but the header has {len(columns)}. A "
                    "cell that holds a comma needs quotes."
                )
            if cells:
                yield place, dict(zip(columns, cells, strict=True))


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise InputError(
            f"{path}: Parquet is read by the package pyarrow, and there is none ({error}). "
            "Install it: pip install pyarrow; or save the table as CSV."
        ) from error
    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        columns = dict(zip(_columns(path, names), names, strict=True))
        chosen = {name: columns[name] for name in (*NEEDED, *FLAGS) if name in columns}
        rows = file.read(columns=list(chosen.values())).to_pylist()
    except ArrowException as error:
        raise InputError(f"{path}: not Parquet, or damaged ({error}).") from error
    for number, row in enumerate(rows, 1):
        yield f"row {number}", {name: row[column] for name, column in chosen.items()}


def _columns(path: Path, header: list[str]) -> list[str]:
    """Checks the header; says what its columns are called."""
    columns = [name.strip().lower() for name in header]
    if missing := [name for name in NEEDED if name not in columns]:
        raise InputError(
            f"{path}: no column {missing[0]!r} in the header, only "
            f"{', '.join(repr(name) for name in columns) or 'an empty line'}. Needed are "
            f"{', '.join(NEEDED)}; {' or '.join(FLAGS)} may be there."
        )
    if twice := [name for name in (*NEEDED, *FLAGS) if columns.count(name) > 1]:
        raise InputError(f"{path}: two columns are called {twice[0]!r}. Leave one of them.")
    if set(FLAGS) <= set(columns):
        raise InputError(f"{path}: the columns train and split say the same. Leave one of them.")
    return columns


def _row(where: str, place: str, cells: dict[str, Any]) -> Row:
    """Checks one row; ``where`` is its place for messages."""
    path, domain = (_text(where, name, cells[name]) for name in ("path", "domain"))
    if posixpath.isabs(path):
        raise InputError(f"{where}: {path} is absolute; paths start from --dataset.root.")
    label = _label(where, cells["label"])
    return Row(place, posixpath.normpath(path), label, domain, _train(where, cells))


def _text(where: str, column: str, value: object) -> str:
    text = str(value).strip() if isinstance(value, str | int) else ""
    if not text:
        raise InputError(f"{where}: no {column}; every image needs one.")
    return text


def _label(where: str, value: object) -> str | int | None:
    """A name, a number from zero, or None where there is none."""
    text = "" if value is None else str(value).strip()
    if not text or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str) and not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text):
        return text
    # Tables with empty cells are often written with numbers such as 3.0.
    number = float(text) if type(value) in (str, int, float) else math.nan
    if number == UNKNOWN:
        return None
    if not number.is_integer() or number < 0:
        raise InputError(
            f"{where}: the label {text[:40]!r} is neither a name nor an integer from 0; leave the "
            "cell empty, or put -1, where nobody noted one."
        )
    return int(number)


def _train(where: str, cells: dict[str, Any]) -> bool:
    """Whether a row says that its image may be trained on; it does where it says nothing."""
    for column, meaning in zip(FLAGS, (TRUTH, FOLDS), strict=True):
        if column in cells:
            text = str(cells[column]).strip().lower()
            if text not in meaning:
                raise InputError(
                    f"{where}: {column} is {text[:40]!r}. Allowed: {', '.join(meaning)}."
                )
            return meaning[text]
    return True


def _entries(path: Path, root: Path, rows: list[Row]) -> list[Entry]:
    """Looks the image of every row up."""
    entries, missing = [], []
    for row in rows:
        file = root / row.path
        if not file.is_file():
            missing.append(f"{row.path} on {row.place}")
            continue
        status = file.stat()
        entry = Entry(str(root), row.path, None, status.st_size, False, status.st_mtime_ns)
        entries.append(entry)
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of {len(rows)} images are not in {root}, the first of them "
            f"{', '.join(missing[:SHOWN])}. Paths start from --dataset.root, or else from the "
            "folder that the table is in."
        )
    return entries
