"""Stored images: files in a folder or in a zip, decoded when asked for."""

import contextlib
import dataclasses
import errno
import io
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import SupportsIndex

import numpy as np
from jaxtyping import UInt8

from jaxclr.errors import JaxclrError
from jaxclr.pipeline.decoding import DAMAGE, MAX_PIXELS, reason, rgb
from jaxclr.pipeline.files import NOTHING_THERE, Entry, printable, where

# What the largest image takes with 16 bits per channel, uncompressed.
MAX_BYTES = 6 * MAX_PIXELS
LOCAL_HEADER = 30
# Enough to keep every thread busy, and few enough to hold in memory at once.
WINDOW = 256
ADVICE = (
    "Replace the file, or leave such images out and have them counted with "
    "--dataset.skip-unreadable."
)


class Unreadable(JaxclrError):
    """An image is there, but cannot be decoded."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """Images decoded at every access; holds paths only, and opens a file per access.

    Nothing is kept open, so threads, forks and spawned workers share it freely.
    """

    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        """Counts the images."""
        return len(self.entries)

    def __getitem__(self, index: SupportsIndex, /) -> UInt8[np.ndarray, "h w 3"]:
        """Decodes one image to RGB.

        Raises:
            Unreadable: It is truncated, or no image.
            JaxclrError: It is gone, or may not be read.
        """
        return decode(self.entries[index])


def read(entry: Entry) -> bytes:
    """Reads a file, out of its zip if it lies in one.

    Raises:
        Unreadable: A zip holds it damaged, a link leads to nothing, or it is too large.
        JaxclrError: It is gone or changed since it was listed, or may not be read.
    """
    if entry.size > MAX_BYTES:
        raise _unreadable(entry, f"{entry.size:,} bytes; {MAX_BYTES:,} are read at most")
    try:
        if entry.offset is not None:
            return _unpacked(entry, entry.offset)
        with open(os.path.join(entry.container, entry.name), "rb", buffering=0) as file:
            data = file.read()
    except OSError as error:
        raise _unopened(entry, error) from error
    if len(data) != entry.size:
        raise JaxclrError(
            f"{where(entry)}: {len(data):,} bytes, which were {entry.size:,} when the images were "
            f"listed. Something changes {printable(entry.container)} while it is read: let that "
            "come to an end, and start again."
        )
    return data


def decode(entry: Entry) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes a file to RGB; see :func:`jaxclr.pipeline.decoding.rgb` for how.

    Raises:
        Unreadable: It is truncated, too large, or no image.
        JaxclrError: It is gone or changed since it was listed, may not be read, or the memory
            does not suffice.
    """
    data = read(entry)
    try:
        return rgb(data)
    except DAMAGE as error:
        raise _unreadable(entry, reason(error, data) + _since(entry)) from error
    except Exception as error:
        # Not known to be the fault of the file, but of no use without its name.
        raise JaxclrError(
            f"{where(entry)}: decoding it failed ({type(error).__name__}: {error})."
        ) from error


def _unpacked(entry: Entry, offset: int) -> bytes:
    """Reads an entry of a zip."""
    with open(entry.container, "rb") as archive:
        archive.seek(offset)
        header = archive.read(LOCAL_HEADER)
        try:
            # The last two fields of a local header: lengths of what stands before the data.
            archive.seek(sum(struct.unpack_from("<HH", header, 26)), io.SEEK_CUR)
            data = archive.read(entry.size)
            if entry.deflated:
                # Bounded: a megabyte may unfold to a thousand.
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, MAX_BYTES + 1)
        except (struct.error, zlib.error) as error:
            raise _unreadable(entry, f"the zip is damaged here: {error}") from error
    if len(data) > MAX_BYTES:
        raise _unreadable(entry, f"more than {MAX_BYTES:,} bytes, which are read at most")
    if zlib.crc32(data) != entry.stamp:
        raise _unreadable(
            entry,
            "its checksum is not the zip's: the zip is damaged, or was changed after its images "
            "were listed",
        )
    return data


def _unreadable(entry: Entry, why: str) -> Unreadable:
    return Unreadable(f"{where(entry)}: cannot be decoded ({why}). {ADVICE}")


def _unopened(entry: Entry, error: OSError) -> JaxclrError:
    """Says why a file cannot be opened or read, and what to do."""
    path = os.path.join(entry.container, entry.name)
    if entry.offset is None and error.errno in NOTHING_THERE and os.path.islink(path):
        return _unreadable(entry, f"a link to {printable(os.readlink(path))}, where nothing is")
    advice = {
        errno.ENOENT: " It was there when the images were listed: put it back, and start again.",
        errno.EACCES: " Give yourself the right to read it, as `chmod u+r` does.",
    }.get(error.errno or 0, "")
    return JaxclrError(f"{where(entry)}: cannot be read ({error.strerror or error}).{advice}")


def _since(entry: Entry) -> str:
    """Says for a message whether a file was written after it was listed."""
    if entry.offset is None:
        with contextlib.suppress(OSError):
            if os.stat(os.path.join(entry.container, entry.name)).st_mtime_ns != entry.stamp:
                return "; it was written after the images were listed"
    return ""


def decode_all(
    entries: Sequence[Entry], *, skip_unreadable: bool
) -> Iterator[UInt8[np.ndarray, "h w 3"] | None]:
    """Decodes files in order, several at once; None for each that is skipped.

    Raises:
        Unreadable: A file cannot be decoded, and ``skip_unreadable`` is not set.
    """

    def attempt(entry: Entry) -> np.ndarray | None:
        try:
            return decode(entry)
        except Unreadable:
            if skip_unreadable:
                return None
            raise

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(entries), WINDOW):
            yield from pool.map(attempt, entries[start : start + WINDOW])
