"""A cache of decoded images: flat files of bytes, each with an index, some for every domain."""

import bisect
import dataclasses
import functools
import hashlib
import itertools
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, SupportsIndex

import numpy as np
from jaxtyping import Bool, Int, UInt8
from PIL import Image

from jaxclr.errors import JaxclrError
from jaxclr.pipeline.atomic import replacing
from jaxclr.pipeline.listing import Entry
from jaxclr.pipeline.storage import decode_all

# Part of every key; to be raised whenever decoding or the layout of the files changes.
FORMAT = "jaxclr decoded images 2"
# Images in a flat file, which are all that an interruption can cost.
SHARD = 512
# Beside the flat files where images were scaled: to which size.
NOTE = "size.json"


class Index(NamedTuple):
    """Where each image lies in a flat file.

    Attributes:
        offset: Its first byte.
        height: Its height in pixels.
        width: Its width in pixels.
        kept: One flag per listed image: whether it was decoded, or left out as unreadable.
        checksum: CRC-32 of the flat file.
    """

    offset: Int[np.ndarray, " b"]
    height: Int[np.ndarray, " b"]
    width: Int[np.ndarray, " b"]
    kept: Bool[np.ndarray, " listed"]
    checksum: Int[np.ndarray, ""]


class Shard(NamedTuple):
    """Some images of a domain, and the flat file that holds them, or is to hold them."""

    path: Path
    entries: Sequence[Entry]


@dataclasses.dataclass(frozen=True)
class Decoded:
    """Images read from the cache without decoding; opens it once per process.

    Attributes:
        paths: The flat files, one after the other; an index lies beside each.
    """

    paths: tuple[str, ...]

    def __len__(self) -> int:
        """Counts the images."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: SupportsIndex, /) -> UInt8[np.ndarray, "h w 3"]:
        """Looks one image up; a read-only view of the file."""
        place = range(len(self))[index]
        shard = bisect.bisect_right(self._ends, place)
        offset, height, width, _, _ = self._indices[shard]
        inside = place - self._ends[shard] + len(offset)
        start, shape = int(offset[inside]), (int(height[inside]), int(width[inside]), 3)
        return self._pixels[shard][start : start + shape[0] * shape[1] * 3].reshape(shape)

    def __reduce__(self) -> tuple[type["Decoded"], tuple[tuple[str, ...]]]:
        """Pickles the paths only: every process maps the files for itself."""
        return Decoded, (self.paths,)

    @functools.cached_property
    def _indices(self) -> tuple[Index, ...]:
        indices = []
        for path in self.paths:
            if (index := read_index(path)) is None:
                raise JaxclrError(f"{path}: the cache has gone or was damaged; start again.")
            indices.append(index)
        return tuple(indices)

    @functools.cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(itertools.accumulate(len(index.offset) for index in self._indices))

    @functools.cached_property
    def _pixels(self) -> tuple[np.ndarray, ...]:
        # A file of which no image could be decoded is empty, and cannot be mapped.
        return tuple(
            np.memmap(path, np.uint8, mode="r") if len(index.offset) else np.zeros(0, np.uint8)
            for path, index in zip(self.paths, self._indices, strict=True)
        )


def cached(
    folder: Path, domain: str, entries: Sequence[Entry], *, skip_unreadable: bool,
    size: int | None = None, told: Callable[[], object] = lambda: None,
) -> tuple[Decoded, Bool[np.ndarray, " b"]]:  # fmt: skip
    """Decodes a domain into ``folder``, as far as it does not lie there already.

    The keys are what was listed (names, sizes, times of change or checksums), so changed images
    are decoded anew; what older keys left behind may be deleted at any time.

    Args:
        folder: Where the flat files are.
        domain: Name of the domain.
        entries: Its images.
        skip_unreadable: Whether images that cannot be decoded are left out.
        size: The shorter side of the images there, see :func:`scaled`; None: as they are.
        told: Called after each image that is decoded.

    Returns:
        The images that could be decoded, and one flag per entry that says which these are.

    Raises:
        Unreadable: An image cannot be decoded, and ``skip_unreadable`` is not set.
        JaxclrError: The folder cannot be written, or the disk is full.
    """
    parts, kept = shards(folder, domain, entries, size), []
    for part in parts:
        index = read_index(str(part.path))
        if index is None or not (skip_unreadable or index.kept.all()):
            index = _write(part, size, skip_unreadable, told)
        kept.append(index.kept)
    flags = np.concatenate(kept) if kept else np.zeros(0, bool)
    return Decoded(tuple(str(part.path) for part in parts)), flags


def shards(
    folder: Path, domain: str, entries: Sequence[Entry], size: int | None
) -> tuple[Shard, ...]:
    """Shares the images of a domain out over flat files, named by what is to be in them."""
    parts = []
    for start in range(0, len(entries), SHARD):
        part = entries[start : start + SHARD]
        listed = [(entry.name, entry.size, entry.stamp) for entry in part]
        key = hashlib.sha256(repr((FORMAT, size, listed)).encode()).hexdigest()[:20]
        parts.append(Shard(folder / f"{domain}-{key}.uint8", part))
    return tuple(parts)


def scaled(image: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "s t 3"]:
    """Scales the shorter side to ``size``, as tested images are; smaller images stay as they are.

    Args:
        image: Of any shape; its proportions are kept.
        size: In pixels.
    """
    height, width = scaled_shape(image.shape[0], image.shape[1], size)
    if (height, width) == image.shape[:2]:
        return image
    view = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(view)


def scaled_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width of what :func:`scaled` makes of an image."""
    shorter = min(height, width)
    if shorter <= size:
        return height, width
    return size * height // shorter, size * width // shorter


def noted_size(folder: Path) -> int | None:
    """The shorter side of the images in a folder; None where they are as they were.

    Raises:
        JaxclrError: The note about it is damaged.
    """
    try:
        return int(json.loads((folder / NOTE).read_bytes())["shorter_side"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise JaxclrError(
            f"{folder / NOTE}: cannot be read ({error}), so the size of the images there is not "
            "known. Delete the folder, and prepare it anew."
        ) from error


def note_size(folder: Path, size: int | None) -> None:
    """Notes the shorter side of all images that are in a folder, or will be.

    Raises:
        OSError: The folder cannot be written.
    """
    if size is None:
        (folder / NOTE).unlink(missing_ok=True)
        return
    with replacing(folder / NOTE) as file:
        file.write(json.dumps({"shorter_side": size}).encode())


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


def is_sound(path: Path) -> bool:
    """Reads a whole flat file, and tells whether its checksum is the one noted."""
    if (index := read_index(str(path))) is None:
        return False
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            checksum = zlib.crc32(block, checksum)
    return checksum == int(index.checksum)


def _write(
    part: Shard, size: int | None, skip_unreadable: bool, told: Callable[[], object]
) -> Index:
    """Writes a flat file, then its index, without which the file is not trusted."""
    shapes, kept, checksum = [], [], 0
    try:
        with replacing(part.path) as file:
            for image in decode_all(part.entries, skip_unreadable=skip_unreadable):
                kept.append(image is not None)
                if image is not None:
                    image = image if size is None else scaled(image, size)
                    shapes.append(image.shape)
                    file.write(image.data)
                    checksum = zlib.crc32(image.data, checksum)
                told()
        height, width, channels = np.array(shapes, np.int64).reshape(-1, 3).T
        offset = np.cumsum(height * width * channels) - height * width * channels
        index = Index(offset, height, width, np.array(kept, bool), np.array(checksum, np.int64))
        with replacing(Path(f"{part.path}.npz")) as file:
            np.savez(file, **index._asdict())
    except OSError as error:
        raise JaxclrError(
            f"{part.path}: the cache of decoded images cannot be written ({error.strerror}). Free "
            "some space, choose another folder with --dataset.cache, or leave that flag out."
        ) from error
    return index
