"""Where predictions and features are written to, batch by batch, whole or not at all."""

import contextlib
import csv
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from jaxclr.errors import InputError
from jaxclr.pipeline.atomic import replacing
from jaxclr.predict.rows import Ranked, Rows, ranked

GROUP = 20_000
"""Rows of Parquet that are written at once."""

Write = Callable[[Rows], None]


@runtime_checkable
class Lines(Protocol):
    """A file for text."""

    def write(self, text: str, /) -> object:
        """Takes a part of it."""
        ...


def refuse_suffix(path: Path, allowed: Sequence[str]) -> None:
    """Tells, before anything is computed, whether a file of that name can be written.

    Raises:
        InputError: Its suffix is none of those allowed, or what writes it is not installed.
    """
    if path.suffix.lower() not in allowed:
        raise InputError(f"{path}: give a name that ends in {' or '.join(allowed)}.")
    if path.suffix.lower() == ".parquet":
        _pyarrow(path)


def columns(num_classes: int, top: int) -> list[str]:
    """The header of a table: the likeliest class, its probability, and those that follow."""
    shown = range(2, min(top, num_classes) + 1)
    more = [f"{name}_{place}" for place in shown for name in ("class", "probability")]
    return ["path", "class", "probability", *more]


def text_of(name: str) -> str:
    """The name of a file, or of a class after one, as text; bytes that are none are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


@contextlib.contextmanager
def csv_rows(file: Lines, classes: Sequence[str], top: int) -> Iterator[Write]:
    """Writes predictions as CSV, into a file that is open."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns(len(classes), top))

    def write(rows: Rows) -> None:
        for path, *cells in _cells(rows, classes, top):
            # The fewest digits that tell a number of single precision from all others.
            writer.writerow(
                [text_of(path), *(c if isinstance(c, str) else str(np.float32(c)) for c in cells)]
            )

    yield write


@contextlib.contextmanager
def csv_file(path: Path, classes: Sequence[str], top: int) -> Iterator[Write]:
    """Writes predictions as a CSV file in UTF-8."""
    with replacing(path) as binary:
        text = io.TextIOWrapper(binary, "utf-8", newline="")
        try:
            with csv_rows(text, classes, top) as write:
                yield write
        finally:
            text.detach()


@contextlib.contextmanager
def parquet_file(path: Path, classes: Sequence[str], top: int) -> Iterator[Write]:
    """Writes predictions as Parquet, probabilities in single precision."""
    arrow = _pyarrow(path)
    names = columns(len(classes), top)
    kinds = [arrow.float32() if name.startswith("prob") else arrow.string() for name in names]
    with _parquet(path, arrow.schema(list(zip(names, kinds, strict=True)))) as add:

        def write(rows: Rows) -> None:
            cells = zip(*_cells(rows, classes, top), strict=True)
            paths, *rest = map(list, cells)
            add([[text_of(path) for path in paths], *rest])

        yield write


@contextlib.contextmanager
def features_parquet(path: Path, width: int) -> Iterator[Write]:
    """Writes ``path`` and ``features``, a list of fixed length, as Parquet."""
    arrow = _pyarrow(path)
    fields = [("path", arrow.string()), ("features", arrow.list_(arrow.float32(), width))]
    with _parquet(path, arrow.schema(fields)) as add:
        yield lambda rows: add([[text_of(path) for path in rows.path], [*rows.features]])


@contextlib.contextmanager
def features_npz(path: Path, width: int) -> Iterator[Write]:
    """Writes ``path`` [m] and ``features`` [m, width] as NumPy's archive.

    Features wait on the disk until it is known how many there are.
    """
    paths: list[str] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file, tempfile.TemporaryFile(dir=path.parent) as waiting:

        def write(rows: Rows) -> None:
            paths.extend(map(text_of, rows.path))
            waiting.write(np.ascontiguousarray(rows.features, np.float32).tobytes())

        yield write
        waiting.seek(0)
        with zipfile.ZipFile(file, "w") as archive:
            with archive.open("path.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.array(paths, np.str_), allow_pickle=False)
            with archive.open("features.npy", "w", force_zip64=True) as part:
                shape = (len(paths), width)
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(part, header)
                shutil.copyfileobj(waiting, part)


def _cells(rows: Rows, classes: Sequence[str], top: int) -> Iterator[list[Any]]:
    found: Ranked = ranked(rows.probabilities, top)
    for path, order, shares in zip(rows.path, found.classes, found.probabilities, strict=True):
        pairs = zip(order, shares, strict=True)
        yield [path, *(cell for c, share in pairs for cell in (classes[c], float(share)))]


@contextlib.contextmanager
def _parquet(path: Path, schema: Any) -> Iterator[Callable[[list[list[Any]]], None]]:
    """Takes columns, and writes them by groups of rows."""
    from pyarrow import parquet, table

    waiting: list[list[Any]] = [[] for _ in schema.names]

    def flush() -> None:
        made = dict(zip(schema.names, waiting, strict=True))
        writer.write_table(table(made, schema=schema))
        for column in waiting:
            column.clear()

    def add(more: list[list[Any]]) -> None:
        for column, cells in zip(waiting, more, strict=True):
            column.extend(cells)
        if len(waiting[0]) >= GROUP:
            flush()

    with replacing(path) as file, parquet.ParquetWriter(file, schema) as writer:
        yield add
        if waiting[0]:
            flush()


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            f"{path}: Parquet is written by the package pyarrow, and there is none ({error}). "
            "Install it: pip install 'jaxclr[parquet]'; or give a name of another suffix."
        ) from error
    return pyarrow
