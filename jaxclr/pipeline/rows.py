"""Rows of a table that lists images, gathered into domains."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8

from jaxclr.errors import InputError
from jaxclr.pipeline.source import UNKNOWN, Images


class Row(NamedTuple):
    """One image as a table lists it.

    Attributes:
        place: Where it is listed, for messages: ``line 7``.
        path: Names the image, '/'-separated; no other image of any domain is called so.
        label: Name or number of its class; None where nobody noted it.
        domain: Name of its domain.
        train: Whether it may be trained on where its domain is a source.
    """

    place: str
    path: str
    label: str | int | None
    domain: str
    train: bool = True


class Group(NamedTuple):
    """The images of one domain, sorted by path.

    Attributes:
        name: Of the domain.
        paths: Identity of each image; it begins with the domain.
        label: Index of each image's class, or -1; int32.
        train: Which images may be trained on.
        rows: Which row of the table each is.
    """

    name: str
    paths: tuple[str, ...]
    label: Int[np.ndarray, " b"]
    train: Bool[np.ndarray, " b"]
    rows: Int[np.ndarray, " b"]


@dataclasses.dataclass(frozen=True, eq=False)
class Picked:
    """Some of the images of a table, in an order of their own.

    Attributes:
        images: All of them.
        rows: Which are meant.
    """

    images: Images
    rows: Int[np.ndarray, " b"]

    def __len__(self) -> int:
        """Counts the images."""
        return len(self.rows)

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]:
        """Reads one image as RGB in [0, 255]; not to be written into."""
        return self.images[int(self.rows[index])]


def located(parts: Sequence[tuple[str, int]], index: int) -> tuple[str, int]:
    """Finds a row of several splits, one split after the other.

    Args:
        parts: Splits, and how many rows each has.
        index: Which row of all, from 0.

    Returns:
        Its split, and its place in there.

    Raises:
        IndexError: There is no such row.
    """
    place = index
    for split, count in parts:
        if 0 <= place < count:
            return split, place
        place -= count
    raise IndexError(index)


def gather(
    origin: str, rows: Sequence[Row], classes: Sequence[str] | None = None
) -> tuple[list[Group], tuple[str, ...]]:
    """Sorts rows into domains, which are sorted by name, and numbers their classes.

    Args:
        origin: Names the table, for messages.
        rows: All of it.
        classes: Names of the classes in the order of their labels, where they are known: every
            label is then one of them. None: the labels found, names sorted, or numbers in order.

    Raises:
        InputError: An image is listed twice, labels are of two kinds, the name of a domain could
            not be that of a folder, or there are fewer than two domains or classes.
    """
    known = _labels(origin, rows) if classes is None else classes
    names = tuple(str(label) for label in known)
    index = {label: number for number, label in enumerate(known)}
    found = _identities(origin, rows)
    for what, several in (("domains", sorted(found)), ("classes", names)):
        if len(several) < 2:
            only = f"; {several[0]!r} is the only one found" if several else ", and there is none"
            raise InputError(f"{origin}: at least two {what} are needed{only}.")
    groups = []
    for name in sorted(found):
        paths = tuple(sorted(found[name]))
        chosen = [rows[found[name][path]] for path in paths]
        label = [UNKNOWN if row.label is None else index[row.label] for row in chosen]
        train = np.array([row.train for row in chosen], bool)
        places = np.array([found[name][path] for path in paths])
        groups.append(Group(name, paths, np.array(label, np.int32), train, places))
    return groups, names


def _labels(origin: str, rows: Sequence[Row]) -> list[str] | list[int]:
    """The labels there are: names sorted, or numbers in order."""
    names = [(row.label, row.place) for row in rows if isinstance(row.label, str)]
    numbers = [(row.label, row.place) for row in rows if isinstance(row.label, int)]
    if names and numbers:
        (name, one), (number, other) = names[0], numbers[0]
        raise InputError(
            f"{origin}: the label {name!r} on {one} is a name, but {number} on {other} is a "
            "number. Label all images by names, or all by numbers."
        )
    return sorted({label for label, _ in names}) or sorted({label for label, _ in numbers})


def _identities(origin: str, rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Of every domain, which row each image is, by its identity."""
    found: dict[str, dict[str, int]] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        if not row.domain or "/" in row.domain or row.domain.startswith("."):
            raise InputError(
                f"{origin}, {row.place}: {row.domain!r} is no name for a domain; give one that a "
                "folder could have."
            )
        inside = row.path.startswith(f"{row.domain}/")
        path = row.path if inside else f"{row.domain}/{row.path}"
        first = seen.setdefault(row.path, number)
        first = min(first, found.setdefault(row.domain, {}).setdefault(path, number))
        if first != number:
            raise InputError(
                f"{origin}, {row.place}: {row.path} is there twice, first on {rows[first].place}. "
                "List every image once."
            )
    return found
