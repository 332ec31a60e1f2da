"""Any images in the forms that the package ``datasets`` of Hugging Face keeps on disk."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxclr.errors import InputError
from jaxclr.pipeline.columns import Column, Columns, Roles, Table
from jaxclr.pipeline.decoding import decoded
from jaxclr.pipeline.rows import located
from jaxclr.pipeline.source import Images


@dataclasses.dataclass(frozen=True)
class HuggingFace(Columns):
    """Reads a folder that ``save_to_disk`` has written, or one of Parquet files.

    Parquet files are such as the hub keeps of a folder of images: ``<split>-*.parquet``, maybe in
    folders, with the images in them; ``datasets`` copies them into its cache once. Nothing is
    fetched. Each split is a domain; or else a column tells the domain of an image, and a split
    ``train`` is what may be trained on, if there is one.

    It needs the package ``datasets``: ``pip install 'jaxclr[hf]'``.
    """

    root: str | None = None
    """The folder."""

    def _table(self) -> Table:
        if self.root is None:
            raise InputError("Which folder holds the data set? Give it by --dataset.root.")
        # What was opened before may have been written anew since.
        _opened.cache_clear()
        _encoded.cache_clear()
        splits = _opened(root := str(Path(self.root).expanduser().resolve()))
        first = next(iter(splits.values()))
        columns = {name: _column(feature) for name, feature in first.features.items()}
        return Table(root, columns, {name: len(rows) for name, rows in splits.items()})

    def _values(self, table: Table, split: str, roles: Roles) -> Iterator[Mapping[str, Any]]:
        names = [name for name in roles if name is not None and name != roles.image]
        return iter(_opened(table.origin)[split].select_columns(names))

    def _images(self, table: Table, parts: tuple[tuple[str, int], ...], roles: Roles) -> Images:
        return Rows(table.origin, parts, roles.image)


@dataclasses.dataclass(frozen=True)
class Rows:
    """Images of some splits, one split after the other; pickled by path."""

    folder: str
    """Of the data set."""
    parts: tuple[tuple[str, int], ...]
    """Splits, and how many images each has."""
    image: str
    """The column that they are."""

    def __len__(self) -> int:
        """Counts the images."""
        return sum(count for _, count in self.parts)

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]:
        """Decodes one image to RGB.

        Raises:
            JaxclrError: It cannot be decoded, or is not in the table.
        """
        split, place = located(self.parts, index)
        stored = _encoded(self.folder, split, self.image)[place][self.image]
        encoded = (stored and stored["bytes"]) or b""
        return decoded(encoded, f"{self.folder}: image {place} of {split!r}")


@functools.cache
def _opened(folder: str) -> Mapping[str, Any]:
    """Opens every split of a folder.

    Raises:
        InputError: The package is not installed, or the folder holds no data set.
    """
    package, path = datasets(), Path(folder)
    saved = any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))
    if not saved and not next(path.rglob("*.parquet"), None):
        raise InputError(
            f"{folder} ({'no data set in it' if path.is_dir() else 'not there'}): a folder was "
            "expected that save_to_disk has written, or one of <split>-*.parquet files."
        )
    try:
        if saved:
            found = package.load_from_disk(folder)
        else:
            found = package.load_dataset("parquet", data_dir=folder)
    except Exception as error:  # The package lets through whatever its parsers raise.
        raise InputError(f"{folder}: the package datasets cannot open it ({error}).") from error
    return found if isinstance(found, dict) else {str(found.split or "all"): found}


@functools.cache
def _encoded(folder: str, split: str, image: str) -> Any:
    """Opens a split, once in each process; its images are as they lie in the file."""
    rows = _opened(folder)[split].select_columns([image])
    return rows.cast_column(image, datasets().Image(decode=False))


def _column(feature: Any) -> Column:
    """What a column of the package holds."""
    package = datasets()
    if isinstance(feature, package.Image):
        return Column("image")
    if isinstance(feature, package.ClassLabel):
        return Column("class", tuple(feature.names))
    if isinstance(feature, package.Value):
        if feature.dtype in ("string", "large_string"):
            return Column("text")
        if feature.dtype == "bool":
            return Column("flag")
        if feature.dtype.startswith(("int", "uint")):
            return Column("number")
    return Column("other")


def datasets() -> ModuleType:
    """The package of Hugging Face itself, an optional dependency.

    Raises:
        InputError: It is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"Folders of Hugging Face are read by the package datasets, and there is none "
            f"({error}). Install it: pip install 'jaxclr[hf]'."
        ) from error
    return datasets
