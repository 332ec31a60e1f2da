"""Files that say whose label is kept: ssdg-benchmark's JSON, read and written."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.atomic import replacing
from jaxclr.pipeline.listing import without_suffix
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import Split

# How many names a message shows.
SHOWN = 3


class Record(NamedTuple):
    """One line of a split file: an image, its label and the domain it is said to be of."""

    path: str
    label: int
    domain: str | None


def split_name(target: str, num_labeled: int, seed: int) -> str:
    """Names the file of a split as ssdg-benchmark does; ``num_labeled`` is over all sources."""
    return f"{target}_nlab{num_labeled}_seed{seed}.json"


def write_split(path: str | Path, split: Split, sources: Sequence[Domain]) -> None:
    """Writes a split as ssdg-benchmark's JSON, whole or not at all.

    The file holds ``{"train_x": [[path, label, domain], ...], "train_u": [...]}``, labels counted
    from zero.

    Raises:
        JaxclrError: It cannot be written.
    """
    records = {
        key: [
            [domain.paths[index], int(domain.label[index]), domain.name]
            for domain, indices in zip(sources, chosen, strict=True)
            for index in indices
        ]
        for key, chosen in (("train_x", split.labeled), ("train_u", split.unlabeled))
    }
    try:
        with replacing(Path(path)) as file:
            file.write(json.dumps(records).encode())
    except OSError as error:
        raise JaxclrError(f"{path}: the split cannot be written ({error.strerror}).") from error


def read_split(path: str | Path, sources: Sequence[Domain]) -> Split:
    """Reads a split file of ssdg-benchmark, or one that :func:`write_split` wrote.

    Images are found by their paths; failing that without their extensions, and without the
    number that some copies of Office-Home put before the names of classes.

    Raises:
        InputError: The file cannot be read, names images that are not there, or disagrees
            with their labels.
    """
    content = _parsed(path)
    labeled = _located(path, _records(path, content, "train_x"), sources)
    unlabeled = _located(path, _records(path, content, "train_u"), sources)
    for domain, indices in zip(sources, labeled, strict=True):
        if not len(indices):
            raise InputError(
                f"{path}: no labeled image of the source domain {domain.name!r}. "
                "Was the split drawn for another target?"
            )
        if (unknown := indices[domain.label[indices] < 0]).size:
            raise InputError(
                f"{path}: {domain.paths[unknown[0]]} is to keep its label, but has none."
            )
    return Split(labeled, unlabeled)


def _parsed(path: str | Path) -> dict[str, Any]:
    """Reads the JSON object a split file is."""
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path}: the split cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise InputError(f"{path}: the split is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise InputError(f'{path}: an object with "train_x" and "train_u" was expected.')
    return content


def _records(path: str | Path, content: dict[str, Any], key: str) -> list[Record]:
    """Checks one list of a split file."""
    rows = content.get(key)
    if not isinstance(rows, list):
        raise InputError(f'{path}: a list "{key}" was expected.')
    records = []
    for row in rows:
        match row:
            case [str(image), int(label), str(domain)]:
                records.append(Record(image, label, domain))
            case [str(image), int(label)] | [str(image), int(label), int() | None]:
                records.append(Record(image, label, None))
            case _:
                raise InputError(
                    f'{path}: {json.dumps(row)[:80]} in "{key}"; [path, label, domain] was '
                    "expected."
                )
    return records


def _spellings(path: str) -> Iterator[str]:
    """Says how else an image may be called, the likeliest first."""
    yield path
    folders, _, file = without_suffix(path).rpartition("/")
    above, _, folder = folders.rpartition("/")
    yield "/".join((above, re.sub(r"^\d{3}_", "", folder), file))


def _located(
    path: str | Path, records: Sequence[Record], sources: Sequence[Domain]
) -> tuple[Int[np.ndarray, " b"], ...]:
    """Finds the images of a split file among the sources."""
    places: dict[str, tuple[int, int]] = {}
    for number, domain in enumerate(sources):
        for index, image in enumerate(domain.paths):
            for spelling in _spellings(image):
                places.setdefault(spelling, (number, index))
    found: list[list[int]] = [[] for _ in sources]
    missing, wrong = [], []
    for record in records:
        name = record.path
        if record.domain and not name.startswith(f"{record.domain}/"):
            name = f"{record.domain}/{name}"
        place = next((places[other] for other in _spellings(name) if other in places), None)
        if place is None:
            missing.append(record.path)
        elif (right := int(sources[place[0]].label[place[1]])) != record.label:
            wrong.append(f"{record.path} ({record.label} there, {right} here)")
        else:
            found[place[0]].append(place[1])
    _complain(path, missing, wrong, sources)
    return tuple(np.array(sorted(indices), np.int64) for indices in found)


def _complain(
    path: str | Path, missing: Sequence[str], wrong: Sequence[str], sources: Sequence[Domain]
) -> None:
    """Reports what a split file names and the sources do not hold."""
    if missing:
        names = ", ".join(domain.name for domain in sources)
        raise InputError(
            f"{path}: {len(missing)} images of the split are not among the source domains "
            f"{names}, the first of them {', '.join(missing[:SHOWN])}. Was it drawn for another "
            "target, or is the data set not whole?"
        )
    if wrong:
        raise InputError(
            f"{path}: {len(wrong)} labels of the split are not those of the data set, the first "
            f"of them {', '.join(wrong[:SHOWN])}. Labels count from 0, classes in sorted order."
        )
