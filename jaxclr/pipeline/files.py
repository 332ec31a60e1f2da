"""The files of a data set: what a folder or a zip holds, found without opening any of it."""

import contextlib
import errno
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxclr.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png")
WANTED = (*SUFFIXES, ".txt")
# Deeper than any known layout.
MAX_DEPTH = 8
# What systems leave in folders, besides files whose names begin with a dot.
LITTER = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN"})
# All that zipfile was seen to raise over bytes that are no whole zip.
ZIP_DAMAGE = (
    zipfile.BadZipFile,
    ValueError,
    EOFError,
    IndexError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    struct.error,
)
ENCRYPTED, UTF8 = 0x1, 0x800
UNIX = 3
NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Entry(NamedTuple):
    """One file: where its bytes are, and what tells whether they have changed.

    Attributes:
        container: The folder or the zip it lies in.
        name: Its path in there, '/'-separated.
        offset: Where a zip holds it, in bytes; None for a plain file.
        size: Bytes it takes there; 0 also where a link leads to nothing.
        deflated: Whether these bytes are compressed.
        stamp: Time of the last change in nanoseconds; in a zip, the CRC-32.
    """

    container: str
    name: str
    offset: int | None
    size: int
    deflated: bool
    stamp: int


def where(entry: Entry) -> str:
    """Names a file for a message, the zip it lies in included."""
    return printable(os.path.join(entry.container, entry.name))


def printable(text: str) -> str:
    """Escapes what would break a line, or cannot be shown: names of files may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def hidden(name: str) -> bool:
    """Tells what systems leave behind from files and folders of the user."""
    return name.startswith(".") or name in LITTER


def walked(
    root: Path, *,
    follow_links: bool = False, suffixes: tuple[str, ...] = WANTED, depth: int = MAX_DEPTH,
) -> Iterator[Entry]:  # fmt: skip
    """Finds images and text files in a folder; hidden ones are passed over.

    Links are followed where they lead to something in ``root``, and passed over where they lead
    back to a folder above them. A link to nothing is an entry, too, so that it is missed by name
    when it is read.

    Args:
        root: An existing folder.
        follow_links: Whether links are followed out of ``root``, too.
        suffixes: What names end in, in small letters.
        depth: How many folders deep is looked.

    Raises:
        InputError: A folder cannot be listed, a link leads out of ``root`` and is not to be
            followed, or what has the name of an image is a pipe or a device.
    """
    container, home = str(root), os.path.realpath(root)
    # Folders still to be listed: the path inside, and the real folders it was reached through.
    waiting: list[tuple[str, tuple[str, ...]]] = [("", (home,))]
    while waiting:
        inside, above = waiting.pop()
        for item in _items(os.path.join(container, inside)):
            link, wanted = item.is_symlink(), item.name.lower().endswith(suffixes)
            folder = os.path.isdir(item.path) if link else item.is_dir()
            if not (folder or wanted):
                continue
            real = f"{above[-1]}/{item.name}"
            if link:
                real = os.path.realpath(item.path) if follow_links else within(item.path, home)
            if not folder:
                yield _plain(container, inside + item.name, item)
            elif real not in above and len(above) <= depth:
                waiting.append((f"{inside}{item.name}/", (*above, real)))


def within(path: str, home: str) -> str:
    """Follows a link, as long as it leads to something in ``home``.

    Args:
        path: The link.
        home: A real path, without links.

    Returns:
        The real path it leads to, be there something or not.

    Raises:
        InputError: It leads elsewhere.
    """
    real = os.path.realpath(path)
    if os.path.commonpath((home, real)) != home:
        raise InputError(
            f"{printable(path)}: a link that leads out of {printable(home)}, to {printable(real)}; "
            "links are followed within the root only. Put there what it leads to, as `cp -rL` "
            "does, point --dataset.root at a folder that holds both, or, if you know all links "
            "there, have them followed by --dataset.follow-links."
        )
    return real


def zipped(path: Path, *, suffixes: tuple[str, ...] = WANTED) -> Iterator[Entry]:
    """Finds images and text files in a zip; hidden ones, and zips in it, are passed over.

    Args:
        path: The zip.
        suffixes: What names end in, in small letters.

    Raises:
        InputError: It cannot be read, or what has the name of an image is encrypted, is packed by
            a rare method, is a link, or has a path that leads out of the zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except OSError as error:
        raise InputError(f"{printable(str(path))}: cannot be read ({error.strerror}).") from error
    except ZIP_DAMAGE as error:
        raise InputError(
            f"{printable(str(path))}: not a zip that can be read ({error}); it begins with "
            f"{_beginning(path)!r}. Was its download cut short, or is it something else? Other "
            "archives are to be unpacked."
        ) from error
    for info in infos:
        if not info.filename.lower().endswith(suffixes):
            continue
        name = _path_of(info)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:/", name):
            raise InputError(
                f"{printable(str(path))}: {printable(name)} leads out of the zip, which no data "
                "set has a reason for; the zip is not read. Pack it anew."
            )
        if any(hidden(part) for part in parts):
            continue
        entry = Entry(
            str(path), "/".join(parts), info.header_offset, info.compress_size,
            info.compress_type == zipfile.ZIP_DEFLATED, info.CRC,
        )  # fmt: skip
        _check_readable(info, entry)
        yield entry


def _items(folder: str) -> list[os.DirEntry[str]]:
    """Lists what lies in a folder and is not hidden."""
    try:
        with os.scandir(folder) as items:
            return [item for item in items if not hidden(item.name)]
    except OSError as error:
        raise InputError(
            f"{printable(os.path.normpath(folder))}: the folder cannot be listed "
            f"({error.strerror})."
        ) from error


def _plain(container: str, name: str, item: os.DirEntry[str]) -> Entry:
    """Notes size and time of a file."""
    try:
        status = item.stat()
    except OSError as error:
        if error.errno in NOTHING_THERE:
            return Entry(container, name, None, 0, False, 0)
        raise InputError(
            f"{printable(item.path)}: cannot be looked at ({error.strerror})."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(
            f"{printable(item.path)}: neither a file nor a folder. Remove it from there."
        )
    return Entry(container, name, None, status.st_size, False, status.st_mtime_ns)


def _path_of(info: zipfile.ZipInfo) -> str:
    """The path of a zip's entry, where its maker kept to the letter of the format or not."""
    name = info.filename
    if not name.isascii() and not info.flag_bits & UTF8:
        # macOS writes UTF-8 without saying so; what is not UTF-8 stays as Python has read it.
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    # Some tools of Windows write their own separator.
    return name if "/" in name else name.replace("\\", "/")


def _check_readable(info: zipfile.ZipInfo, entry: Entry) -> None:
    """Refuses what cannot be read from a zip in place."""
    if info.flag_bits & ENCRYPTED:
        found = "is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        found = f"is packed by the rare method {info.compress_type}"
    elif info.create_system == UNIX and stat.S_ISLNK(info.external_attr >> 16):
        found = "is a link"
    else:
        return
    raise InputError(
        f"{where(entry)} {found}; entries of a zip are read that are files, stored or deflated. "
        "Unpack the zip, and give the folder instead."
    )


def _beginning(path: Path) -> bytes:
    """The first bytes of a file, which tell a web page or another archive from a zip."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(16)
    return b""
