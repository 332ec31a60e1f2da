"""The listing of a data set: which images lie in a folder or in zips, in a fixed order."""

import os
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxclr.errors import InputError
from jaxclr.pipeline.files import SUFFIXES, Entry, hidden, printable, walked, where, within, zipped

FOLDS = frozenset({"train", "val", "crossval", "test", "full"})


class Member(NamedTuple):
    """One image at its place: ``<domain>/[<fold>/]<folder>/<file>``; no fold is ``""``."""

    domain: str
    fold: str
    folder: str
    file: str
    entry: Entry

    @property
    def path(self) -> str:
        """Identity of the image, the same whatever it is stored in."""
        return "/".join(part for part in self[:4] if part)


class Listing(NamedTuple):
    """All images below a root, sorted by path, and the text files lying there."""

    members: tuple[Member, ...]
    texts: tuple[Entry, ...]


def without_suffix(path: str) -> str:
    """Drops the extension of an image, which differs between copies of a data set.

    What is left is in composed letters, whatever the system that the path was written on.
    """
    stem, dot, suffix = path.rpartition(".")
    return composed(stem if f"{dot}{suffix}".lower() in SUFFIXES else path)


def composed(path: str) -> str:
    """Writes accented letters in one way (Unicode's NFC), as systems differ there."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def list_images(
    root: Path, domains: Collection[str] = (), *, follow_links: bool = False
) -> Listing:
    """Lists ``<domain>/[<fold>/]<class>/<file>`` below ``root``, which may be a zip.

    Zips lying in ``root`` are read where it holds no image of its own. Lists of folds are
    also looked for beside a root that is a zip or a folder called ``images``. Hidden files are
    passed over, and so are zips within zips.

    Args:
        root: An existing folder or zip.
        domains: The domains to keep; empty: all.
        follow_links: Whether links are followed out of ``root``, too.

    Raises:
        InputError: A folder or a zip cannot be read, a link or an entry of a zip leads out of
            it, or images lie at several depths, or twice.
    """
    entries = list(zipped(root) if root.is_file() else walked(root, follow_links=follow_links))
    if not any(_is_image(entry) for entry in entries) and root.is_dir():
        entries += [entry for path in _archives(root, follow_links) for entry in zipped(path)]
    texts = [entry for entry in entries if entry.name.endswith(".txt")]
    if root.is_file() or root.name == "images":
        near = sorted(path for path in root.resolve().parent.glob("splits*") if path.is_dir())
        texts += [entry for path in near for entry in walked(path, follow_links=follow_links)]
    members = _placed([entry for entry in entries if _is_image(entry)], domains)
    return Listing(tuple(members), tuple(sorted(texts, key=lambda entry: entry.name)))


def _archives(root: Path, follow_links: bool) -> list[Path]:
    """Zips that lie in a folder, sorted."""
    found = [
        path
        for path in root.iterdir()
        if path.suffix.lower() == ".zip"
        and not hidden(path.name)
        and (path.is_file() or (path.is_symlink() and not path.is_dir()))
    ]
    for path in () if follow_links else found:
        within(str(path), os.path.realpath(root))
    return sorted(found)


def _is_image(entry: Entry) -> bool:
    return entry.name.lower().endswith(SUFFIXES)


def _placed(entries: Sequence[Entry], domains: Collection[str]) -> list[Member]:
    """Reads domain, fold and class off the paths, from the file upwards; sorts by path."""
    inside: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        name = composed(entry.name)
        above, _, last = name.rpartition("/")[0].rpartition("/")[0].rpartition("/")
        inside.setdefault((entry.container, above), set()).add(last)
    members: dict[str, Member] = {}
    leading: dict[str, dict[str, str]] = {}
    for entry in entries:
        name = composed(entry.name)
        *parts, folder, file = ["", "", *name.split("/")]
        above = "/".join(parts[2:-1])
        # Folds only where a domain holds nothing else: a class or a domain may be called "test".
        folds = bool(above) and inside[entry.container, above] <= FOLDS
        domain, fold = (parts[-2], parts[-1]) if folds else (parts[-1], "")
        if not domain or (domains and domain not in domains):
            continue
        member = Member(domain, fold, folder, file, entry)
        path = member.path
        leading.setdefault(entry.container, {})[name.removesuffix(path)] = entry.name
        if (other := members.setdefault(path, member)) is not member:
            _check_repeat(path, other.entry, entry)
    for container, found in leading.items():
        if len(found) > 1:
            examples = printable(" and ".join(sorted(found.values())[:2]))
            raise InputError(
                f"{printable(container)}: images lie at several depths, as {examples} do. Point "
                "--dataset.root at the folder that holds the domains."
            )
    return _without_repeats([members[path] for path in sorted(members)])


def _check_repeat(path: str, one: Entry, other: Entry) -> None:
    """Lets an image be there twice only where one zip holds the same bytes again.

    Raises:
        InputError: It is there in two places, or in two versions.
    """
    same_zip = one.container == other.container and one.offset is not None
    if same_zip and (one.size, one.stamp) == (other.size, other.stamp):
        return
    if one.name == other.name and same_zip:
        how = f"in {printable(one.container)}, with different contents"
    else:
        how = f"as {where(one)} and as {where(other)}"
        if one.name != other.name and composed(one.name) == composed(other.name):
            how += " (the same letters, encoded in two ways)"
    raise InputError(f"{printable(path)} is there twice: {how}. Leave one of them.")


def _without_repeats(members: Sequence[Member]) -> list[Member]:
    """Drops from folds called "full" what the other folds of the domain hold already."""
    if not any(member.fold == "full" for member in members):
        return list(members)
    held = {
        (member.domain, member.folder, member.file, member.entry.size)
        for member in members
        if member.fold != "full"
    }
    return [
        member
        for member in members
        if member.fold != "full"
        or (member.domain, member.folder, member.file, member.entry.size) not in held
    ]
