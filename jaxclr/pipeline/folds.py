"""Lists of folds: text files that say which images of a domain are for training."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxclr.errors import InputError
from jaxclr.pipeline.files import printable
from jaxclr.pipeline.listing import Entry, Member, without_suffix
from jaxclr.pipeline.storage import read, where


class ListFormat(NamedTuple):
    """How lists are named and numbered.

    Attributes:
        pattern: File name, with ``{domain}`` and ``{fold}`` in it.
        first_label: Number of the first class; the others follow.
    """

    pattern: str
    first_label: int


KFOLD = ListFormat("{domain}_{fold}_kfold.txt", first_label=1)


class Line(NamedTuple):
    """One line of a list: an image and its label, counted from zero."""

    path: str
    label: int


def read_lists(texts: Sequence[Entry], form: ListFormat, domain: str) -> dict[str, list[Line]]:
    """Reads the lists of one domain, by fold: train, crossval, val, test.

    Raises:
        InputError: A line is not a path and a number.
    """
    lists: dict[str, list[Line]] = {}
    for fold in ("train", "crossval", "val", "test"):
        name = form.pattern.format(domain=domain, fold=fold)
        found = [text for text in texts if text.name.rpartition("/")[2] == name]
        if found:
            lists[fold] = _lines(found[0], form.first_label)
    return lists


def select(
    members: Sequence[Member],
    label: dict[str, int],
    lists: dict[str, list[Line]],
    left_out: frozenset[str] = frozenset(),
) -> tuple[list[Member], Bool[np.ndarray, " b"]]:
    """Keeps what is listed, and flags what may be trained on.

    Without a list of training images the folder called "train" holds them where there is one,
    else every image does. Where a test list exists too, the lists together are the domain.
    Extensions may differ between list and file.

    Args:
        members: Images of one domain.
        label: Class of each image by its path.
        lists: What :func:`read_lists` gave for that domain.
        left_out: Images, without extension, that may be listed and missing.

    Raises:
        InputError: Listed images are missing, or labels disagree with the folders.
    """
    if "train" not in lists:
        return list(members), np.array([member.fold in ("", "train") for member in members], bool)
    found = {
        line: path
        for line, path in located(members, lists).items()
        if path is not None or without_suffix(line.path) not in left_out
    }
    _check(found, label)
    train = {found.get(line) for line in lists["train"]}
    listed = set(found.values()) if "test" in lists else set(label)
    kept = [member for member in members if member.path in listed]
    return kept, np.array([member.path in train for member in kept], bool)


def located(members: Sequence[Member], lists: dict[str, list[Line]]) -> dict[Line, str | None]:
    """Finds the image of every line, by its path or else without its extension.

    Args:
        members: Images of one domain.
        lists: What :func:`read_lists` gave for that domain.

    Returns:
        The path of the image of every line; None where it is not there.
    """
    exact = {member.path: member.path for member in members}
    similar = {without_suffix(member.path): member.path for member in members}
    return {
        line: exact.get(line.path) or similar.get(without_suffix(line.path))
        for lines in lists.values()
        for line in lines
    }


def _check(found: dict[Line, str | None], label: dict[str, int]) -> None:
    """Reports lines without an image, and labels that are not those of the folders."""
    missing = sorted({line.path for line, path in found.items() if path is None})
    if missing:
        raise InputError(
            f"{len(missing)} listed images are not there, the first of them "
            f"{printable(', '.join(missing[:3]))}. Was the data set unpacked whole?"
        )
    wrong = sorted(
        {line.path for line, path in found.items() if path and label[path] != line.label}
    )
    if wrong:
        raise InputError(
            f"{len(wrong)} listed images have labels other than their folders say, the first of "
            f"them {printable(', '.join(wrong[:3]))}. Do the lists belong to this data set?"
        )


def _lines(text: Entry, first_label: int) -> list[Line]:
    """Reads ``path label`` lines; a path may hold spaces, and the first a byte-order mark."""
    lines = []
    for number, line in enumerate(read(text).decode("utf-8-sig", "replace").splitlines(), 1):
        path, _, label = line.strip().rpartition(" ")
        if not line.strip():
            continue
        if not (path and label.isdecimal()):
            raise InputError(f"{where(text)}, line {number}: '<path> <label>' was expected.")
        lines.append(Line(path.strip(), int(label) - first_label))
    return lines
