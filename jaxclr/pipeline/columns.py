"""Data sets whose columns have types: what is image, label and domain, found by what it is."""

import abc
import dataclasses
import operator
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from jaxclr.errors import InputError, nearest
from jaxclr.pipeline.rows import Picked, Row, gather
from jaxclr.pipeline.source import UNKNOWN, Collection, Dataset, Domain, Images


class Column(NamedTuple):
    """What a column holds.

    Attributes:
        kind: ``class`` is a number that stands for one of ``names``, ``flag`` is true or false.
        names: Of the classes.
    """

    kind: Literal["image", "class", "number", "text", "flag", "other"]
    names: tuple[str, ...] = ()


class Table(NamedTuple):
    """What a data set says of itself.

    Attributes:
        origin: The folder it is in.
        columns: By their names.
        splits: How many rows each has, by its name.
    """

    origin: str
    columns: Mapping[str, Column]
    splits: Mapping[str, int]


class Roles(NamedTuple):
    """Which columns are what; None where there is none."""

    image: str
    label: str
    domain: str | None
    train: str | None
    path: str | None


@dataclasses.dataclass(frozen=True)
class Columns(Dataset, abc.ABC):
    """A card over a table of another library.

    The column ``train``, if there is one of true and false, says which images may be trained on
    where their domain is a source. Without it these are all; or, where domains are a column, those
    of the split ``train`` if there is one. The column ``path``, if there is one of text, names the
    images, as split files do; without it they are numbered.
    """

    root: str | None = None
    """Folder of the data set."""

    domain: str | None = None
    """The column of text, integers or classes that tells the domain; by default each split is
    one."""

    image: str | None = None
    """The column of images; by default the only one there is."""

    label: str | None = None
    """The column of classes, integers or text that tells the class; by default the only one of
    classes there is, the domain's aside."""

    splits: tuple[str, ...] = ()
    """Which splits are read; by default all."""

    def load(self) -> Collection:
        """Reads all labels; decodes no image.

        Raises:
            InputError: The data set is not there, or columns are not as they must be.
            JaxclrError: A file of it is missing or damaged.
        """
        table = self._table()
        splits = self._chosen(table)
        roles = _roles(self, table)
        rows = [
            _row(table, roles, splits, split, number, values)
            for split in splits
            for number, values in enumerate(self._values(table, split, roles))
        ]
        groups, classes = gather(table.origin, rows, table.columns[roles.label].names or None)
        images = self._images(table, tuple((split, table.splits[split]) for split in splits), roles)
        domains = (
            Domain(group.name, group.paths, group.label, group.train, Picked(images, group.rows))
            for group in groups
        )
        return Collection(tuple(domains), classes)

    @abc.abstractmethod
    def _table(self) -> Table:
        """Opens the data set."""

    @abc.abstractmethod
    def _values(self, table: Table, split: str, roles: Roles) -> Iterator[Mapping[str, Any]]:
        """Every row of a split; what the image column holds does not matter."""

    @abc.abstractmethod
    def _images(self, table: Table, parts: tuple[tuple[str, int], ...], roles: Roles) -> Images:
        """The images of some splits, one split after the other."""

    def _chosen(self, table: Table) -> tuple[str, ...]:
        for split in self.splits:
            if split not in table.splits:
                raise InputError(
                    f"{table.origin} has no split {split!r}. {nearest(split, sorted(table.splits))}"
                )
        return self.splits or tuple(sorted(table.splits))


def _roles(card: Columns, table: Table) -> Roles:
    """Finds the columns by what they hold, where the card does not name them."""
    columns = table.columns

    def named(role: str, name: str, kinds: tuple[str, ...]) -> str:
        if name not in columns:
            raise InputError(
                f"{table.origin} has no column {name!r} for the {role}. "
                f"{nearest(name, sorted(columns))}"
            )
        if columns[name].kind not in kinds:
            raise InputError(
                f"{table.origin}: the column {name!r} for the {role} holds "
                f"{columns[name].kind}, not {' or '.join(kinds)}."
            )
        return name

    def only(role: str, kind: str) -> str:
        found = [n for n, column in columns.items() if column.kind == kind and n != card.domain]
        if len(found) != 1:
            shown = ", ".join(f"{name} ({column.kind})" for name, column in columns.items())
            raise InputError(
                f"{table.origin}: {len(found)} columns could be the {role}. Name one by "
                f"--dataset.{role}; there are {shown}."
            )
        return found[0]

    tells = ("class", "number", "text")
    return Roles(
        named("image", card.image, ("image",)) if card.image else only("image", "image"),
        named("label", card.label, tells) if card.label else only("label", "class"),
        named("domain", card.domain, tells) if card.domain else None,
        "train" if "train" in columns and columns["train"].kind == "flag" else None,
        "path" if "path" in columns and columns["path"].kind == "text" else None,
    )


def _row(
    table: Table, roles: Roles, splits: tuple[str, ...], split: str, number: int,
    values: Mapping[str, Any],
) -> Row:  # fmt: skip
    """What a row says of its image."""
    place = f"row {number} of {split!r}"

    def needed(column: str) -> str:
        told = _told(table, column, place, values)
        if told is None:
            raise InputError(f"{table.origin}, {place}: no {column}; every image needs one.")
        return str(told)

    train = roles.domain is None or split == "train" or "train" not in splits
    return Row(
        place,
        f"{split}/{number:06}" if roles.path is None else needed(roles.path),
        _told(table, roles.label, place, values),
        split if roles.domain is None else needed(roles.domain),
        train if roles.train is None else bool(values[roles.train]),
    )


def _told(table: Table, column: str, place: str, values: Mapping[str, Any]) -> str | int | None:
    """The name or number in a cell; None where there is none."""
    value, names = values[column], table.columns[column].names
    if value is None or value == "" or value == UNKNOWN:
        return None
    if not names:
        return value if isinstance(value, str) else operator.index(value)
    if not 0 <= value < len(names):
        raise InputError(
            f"{table.origin}, {place}: {column} is {value}, but there are {len(names)} classes."
        )
    return names[value]
