"""The data sets that there are cards of, and what of them is on this disk."""

import importlib
import inspect
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jaxclr.data
from jaxclr.errors import InputError, JaxclrError, nearest
from jaxclr.pipeline.prepared import Prepared
from jaxclr.pipeline.records import INFO, places, versions
from jaxclr.pipeline.source import Dataset, ImageFolders


class Stock(NamedTuple):
    """What of a data set is on this disk.

    Attributes:
        name: Of its card.
        images: Of each domain; empty if there are none.
        size: Bytes that they take; None where they take none.
        where: Where they are; or else where they were looked for, or why that was not done.
    """

    name: str
    images: tuple[tuple[str, int], ...]
    size: int | None
    where: str


def card(name: str) -> type[Dataset]:
    """Finds a card by its name, which is that of its file.

    Raises:
        InputError: There is none.
    """
    found = _card_in(name) if name.isidentifier() else None
    if found is None:
        raise InputError(f"No data set {name!r}. {nearest(name, names())}")
    return found


def names() -> list[str]:
    """The names of all cards that come with the package."""
    folder = Path(jaxclr.data.__path__[0])
    stems = sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))
    return [stem for stem in stems if _card_in(stem) is not None]


def stock(name: str) -> Stock:
    """Looks a data set up where its images usually are; opens none of them."""
    kind = card(name)
    if issubclass(kind, ImageFolders):
        return _of_folders(name, kind())
    if issubclass(kind, Prepared):
        return _of_prepared(name, kind())
    if counts := getattr(kind, "counts", None):
        return Stock(name, tuple(counts.items()), None, "made in memory, nothing to download")
    return Stock(name, (), None, "yours, wherever it is; see data/README.md")


def _card_in(stem: str) -> type[Dataset] | None:
    """The card that a file of ``jaxclr.data`` declares."""
    try:
        module = importlib.import_module(f"jaxclr.data.{stem}")
    except ModuleNotFoundError as error:
        if error.name != f"jaxclr.data.{stem}":
            raise
        return None
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, Dataset) and kind.__module__ == module.__name__:
            return kind
    return None


def _of_folders(name: str, dataset: ImageFolders) -> Stock:
    places = dataset.places()
    try:
        place, listing = dataset.found()
    except JaxclrError as error:
        if any(place.exists() for place in places):
            return Stock(name, (), None, f"not as it should be: {error}")
        return _absent(name, places)
    seen = Counter(member.domain for member in listing.members)
    order = dataset.domains or sorted(seen)
    size = sum(member.entry.size for member in listing.members)
    return Stock(name, tuple((domain, seen[domain]) for domain in order), size, str(place))


def _of_prepared(name: str, dataset: Prepared) -> Stock:
    """What TensorFlow Datasets noted, read without it."""
    looked = places(None)
    for folder in (folder for place in looked for folder in versions(place, dataset.builder)):
        try:
            splits = dict(_splits(Path(folder)))
        except (OSError, ValueError, KeyError, TypeError):
            return Stock(name, (), None, f"{folder}: its {INFO} cannot be read")
        images = tuple(
            (domain, sum(splits.get(split, (0, 0))[0] for split in parts))
            for domain, parts in dataset.splits.items()
        )
        return Stock(name, images, sum(size for _, size in splits.values()), folder)
    return _absent(name, [place / dataset.builder for place in looked])


def _splits(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every split of a prepared version: its images, and the bytes they take."""
    for split in json.loads((folder / INFO).read_bytes())["splits"]:
        counts = [int(count) for count in split.get("shardLengths", ())]
        yield split["name"], (sum(counts), int(split.get("numBytes", 0)))


def _absent(name: str, looked: list[Path]) -> Stock:
    return Stock(name, (), None, f"not there: {', '.join(map(str, looked))}")
