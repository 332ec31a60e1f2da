"""Stored images: files in a folder or in a zip, decoded when asked for."""

import dataclasses
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxclr.errors import JaxclrError
from jaxclr.pipeline.listing import Entry

# All that Pillow was seen to raise over bytes that are no whole image.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
LOCAL_HEADER = 30
# Enough to keep every thread busy, and few enough to hold in memory at once.
WINDOW = 256


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
        JaxclrError: It is gone, or may not be read.
        zlib.error: A zip holds it damaged.
    """
    try:
        if entry.offset is None:
            return Path(entry.container, entry.name).read_bytes()
        with open(entry.container, "rb") as archive:
            archive.seek(entry.offset)
            header = archive.read(LOCAL_HEADER)
            # The last two fields of a zip's local header: lengths of what stands before the data.
            archive.seek(sum(struct.unpack_from("<HH", header, 26)), io.SEEK_CUR)
            data = archive.read(entry.size)
    except OSError as error:
        raise JaxclrError(f"{where(entry)}: cannot be read ({error.strerror}).") from error
    data = zlib.decompress(data, -zlib.MAX_WBITS) if entry.deflated else data
    if zlib.crc32(data) != entry.stamp:
        raise zlib.error("its checksum differs from the zip's")
    return data


def where(entry: Entry) -> str:
    """Names a file for a message."""
    return str(Path(entry.container, entry.name))


def decode(entry: Entry) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes a file with Pillow to RGB; the orientation noted by a camera is not applied.

    Transparency is dropped, and 16-bit gray keeps its upper byte.

    Raises:
        Unreadable: It is truncated, or no image.
        JaxclrError: It is gone, or may not be read.
    """
    try:
        with Image.open(io.BytesIO(read(entry))) as image:
            if image.mode.startswith("I"):
                gray = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
                return np.repeat(gray[..., None], 3, axis=-1)
            if image.mode == "P":
                # By way of RGBA: a palette with transparency is not converted silently.
                return np.array(image.convert("RGBA").convert("RGB"))
            return np.array(image.convert("RGB"))
    except DAMAGE as error:
        raise Unreadable(
            f"{where(entry)}: cannot be decoded ({error}). Replace the file, or leave such "
            "images out and have them counted with --dataset.skip-unreadable."
        ) from error


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
