"""The listing of a data set: which images lie in a folder or in zips, in a fixed order."""

import os
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxclr.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png")
FOLDS = frozenset({"train", "val", "crossval", "test", "full"})
# Deeper than any known layout; also what ends a walk through folders linked in a circle.
MAX_DEPTH = 8


class Entry(NamedTuple):
    """One file: where its bytes are, and what tells whether they have changed.

    Attributes:
        container: The folder or the zip it lies in.
        name: Its path in there, '/'-separated.
        offset: Where a zip holds it, in bytes; None for a plain file.
        size: Bytes it takes there.
        deflated: Whether these bytes are compressed.
        stamp: Time of the last change in nanoseconds; in a zip, the CRC-32.
    """

    container: str
    name: str
    offset: int | None
    size: int
    deflated: bool
    stamp: int


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
    """Drops the extension of an image, which differs between copies of a data set."""
    stem, dot, suffix = path.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in SUFFIXES else path


def list_images(root: Path, domains: Collection[str] = ()) -> Listing:
    """Lists ``<domain>/[<fold>/]<class>/<file>`` below ``root``, which may be a zip.

    Zips lying in ``root`` are read where it holds no image of its own. Lists of folds are
    also looked for beside a root that is a zip or a folder called ``images``.

    Args:
        root: An existing folder or zip.
        domains: The domains to keep; empty: all.

    Raises:
        InputError: A zip cannot be read, or images lie at several depths, or twice.
    """
    entries = list(_zipped(root) if root.is_file() else _walked(root))
    if not any(_is_image(entry) for entry in entries) and root.is_dir():
        archives = sorted(path for path in root.iterdir() if path.suffix.lower() == ".zip")
        entries += [entry for path in archives if _shown(path.name) for entry in _zipped(path)]
    texts = [entry for entry in entries if entry.name.endswith(".txt")]
    if root.is_file() or root.name == "images":
        near = sorted(path for path in root.resolve().parent.glob("splits*") if path.is_dir())
        texts += [entry for path in near for entry in _walked(path)]
    members = _placed([entry for entry in entries if _is_image(entry)], domains)
    return Listing(tuple(members), tuple(sorted(texts, key=lambda entry: entry.name)))


def _shown(name: str) -> bool:
    """Tells files from what an operating system leaves behind."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _is_image(entry: Entry) -> bool:
    return entry.name.lower().endswith(SUFFIXES)


def _walked(root: Path) -> Iterator[Entry]:
    """Finds images and text files in a folder, through links as well."""

    def stop(error: OSError) -> None:
        raise InputError(f"{error.filename}: the folder cannot be listed ({error.strerror}).")

    for folder, below, files in os.walk(root, onerror=stop, followlinks=True):
        inside = Path(folder).relative_to(root)
        below[:] = [name for name in below if _shown(name) and len(inside.parts) < MAX_DEPTH]
        for file in files:
            if _shown(file) and file.lower().endswith((*SUFFIXES, ".txt")):
                status = os.stat(os.path.join(folder, file))
                name = (inside / file).as_posix()
                yield Entry(str(root), name, None, status.st_size, False, status.st_mtime_ns)


def _zipped(path: Path) -> Iterator[Entry]:
    """Finds images and text files in a zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: not a zip that can be read ({error}); was its download cut short?"
        ) from error
    for info in infos:
        name = info.filename
        if not _shown(name) or not name.lower().endswith((*SUFFIXES, ".txt")):
            continue
        if info.flag_bits & 1 or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise InputError(f"{path}: {name} is encrypted or packed by a rare method; unpack it.")
        deflated = info.compress_type == zipfile.ZIP_DEFLATED
        yield Entry(str(path), name, info.header_offset, info.compress_size, deflated, info.CRC)


def _placed(entries: Sequence[Entry], domains: Collection[str]) -> list[Member]:
    """Reads domain, fold and class off the paths, from the file upwards; sorts by path."""
    inside: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        above, _, last = entry.name.rpartition("/")[0].rpartition("/")[0].rpartition("/")
        inside.setdefault((entry.container, above), set()).add(last)
    members: dict[str, Member] = {}
    leading: dict[str, dict[str, str]] = {}
    for entry in entries:
        *parts, folder, file = ["", "", *entry.name.split("/")]
        above = "/".join(parts[2:-1])
        # Folds only where a domain holds nothing else: a class or a domain may be called "test".
        folds = bool(above) and inside[entry.container, above] <= FOLDS
        domain, fold = (parts[-2], parts[-1]) if folds else (parts[-1], "")
        if not domain or (domains and domain not in domains):
            continue
        member = Member(domain, fold, folder, file, entry)
        before = entry.name.removesuffix(member.path)
        leading.setdefault(entry.container, {})[before] = entry.name
        if (other := members.setdefault(member.path, member)) is not member:
            places = f"{other.entry.container} and {entry.container}"
            raise InputError(f"{member.path} is there twice: in {places}. Leave one of them.")
    for container, found in leading.items():
        if len(found) > 1:
            examples = " and ".join(sorted(found.values())[:2])
            raise InputError(
                f"{container}: images lie at several depths, as {examples} do. Point "
                "--dataset.root at the folder that holds the domains."
            )
    return _without_repeats([members[path] for path in sorted(members)])


def _without_repeats(members: Sequence[Member]) -> list[Member]:
    """Drops from folds called "full" what the other folds of the domain hold already."""
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
