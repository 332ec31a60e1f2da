"""A cache of decoded images: one flat file of bytes and an index, per domain."""

import dataclasses
import functools
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int, UInt8

from jaxclr.errors import JaxclrError
from jaxclr.pipeline.atomic import replacing
from jaxclr.pipeline.listing import Entry
from jaxclr.pipeline.storage import decode_all

# Part of every key; to be raised whenever decoding or the layout of the files changes.
FORMAT = "jaxclr decoded images 1"


class Index(NamedTuple):
    """Where each image lies in the flat file.

    Attributes:
        offset: Its first byte.
        height: Its height in pixels.
        width: Its width in pixels.
        kept: One flag per listed image: whether it was decoded, or left out as unreadable.
    """

    offset: Int[np.ndarray, " b"]
    height: Int[np.ndarray, " b"]
    width: Int[np.ndarray, " b"]
    kept: Bool[np.ndarray, " listed"]


@dataclasses.dataclass(frozen=True)
class Decoded:
    """Images read from the cache without decoding; opens it once per process.

    Attributes:
        path: The flat file; its index lies beside it.
    """

    path: str

    def __len__(self) -> int:
        """Counts the images."""
        return len(self._index.offset)

    def __getitem__(self, index: SupportsIndex, /) -> UInt8[np.ndarray, "h w 3"]:
        """Looks one image up; a read-only view of the file."""
        offset, height, width, _ = self._index
        start, shape = int(offset[index]), (int(height[index]), int(width[index]), 3)
        return self._pixels[start : start + shape[0] * shape[1] * 3].reshape(shape)

    def __reduce__(self) -> tuple[type["Decoded"], tuple[str]]:
        """Pickles the path only: every process maps the file for itself."""
        return Decoded, (self.path,)

    @functools.cached_property
    def _index(self) -> Index:
        if (index := read_index(self.path)) is None:
            raise JaxclrError(f"{self.path}: the cache has gone or was damaged; start again.")
        return index

    @functools.cached_property
    def _pixels(self) -> np.memmap:
        return np.memmap(self.path, np.uint8, mode="r")


def cached(
    folder: Path, domain: str, entries: Sequence[Entry], *, skip_unreadable: bool
) -> tuple[Decoded, Bool[np.ndarray, " b"]]:
    """Decodes a domain into ``folder``, unless it lies there already.

    The key is what was listed (names, sizes, times of change or checksums), so changed images
    are decoded anew; what older keys left behind may be deleted at any time.

    Returns:
        The images that could be decoded, and one flag per entry that says which these are.

    Raises:
        Unreadable: An image cannot be decoded, and ``skip_unreadable`` is not set.
        JaxclrError: The folder cannot be written, or the disk is full.
    """
    listed = [(entry.name, entry.size, entry.stamp) for entry in entries]
    key = hashlib.sha256(repr((FORMAT, listed)).encode()).hexdigest()[:20]
    path = folder / f"{domain}-{key}.uint8"
    index = read_index(str(path))
    if index is None or not (skip_unreadable or index.kept.all()):
        index = _write(path, entries, skip_unreadable)
    return Decoded(str(path)), index.kept


def read_index(path: str) -> Index | None:
    """Reads the index of a flat file; None unless both are there and whole."""
    try:
        # Opened here, since NumPy leaves a file open that turns out to be no whole zip.
        with open(f"{path}.npz", "rb") as file, np.load(file) as arrays:
            index = Index(**{name: arrays[name] for name in Index._fields})
        size = Path(path).stat().st_size
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return index if size == 3 * np.sum(index.height * index.width) else None


def _write(path: Path, entries: Sequence[Entry], skip_unreadable: bool) -> Index:
    """Writes the flat file, then its index, without which the file is not trusted."""
    images = decode_all(entries, skip_unreadable=skip_unreadable)
    shapes, kept = [], []
    try:
        with replacing(path) as file:
            for image in images:
                kept.append(image is not None)
                if image is not None:
                    shapes.append(image.shape)
                    file.write(image.data)
        height, width, channels = np.array(shapes, np.int64).reshape(-1, 3).T
        offset = np.cumsum(height * width * channels) - height * width * channels
        index = Index(offset, height, width, np.array(kept, bool))
        with replacing(Path(f"{path}.npz")) as file:
            np.savez(file, **index._asdict())
    except OSError as error:
        raise JaxclrError(
            f"{path}: the cache of decoded images cannot be written ({error.strerror}). Free "
            "some space, choose another folder with --dataset.cache, or leave that flag out."
        ) from error
    return index
