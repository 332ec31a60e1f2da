"""Preparing: all images of a data set are decoded, and scaled, once and for all."""

import dataclasses
import io
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.cache import (
    Shard,
    cached,
    is_sound,
    note_size,
    noted_size,
    read_index,
    scaled_shape,
    shards,
)
from jaxclr.pipeline.decoding import DAMAGE, FORMATS
from jaxclr.pipeline.files import Entry
from jaxclr.pipeline.source import ImageFiles
from jaxclr.pipeline.storage import WINDOW, Stored, read


class Plan(NamedTuple):
    """What preparing a data set comes to.

    Attributes:
        folder: Where the flat files are to be.
        size: Shorter side of the images there; None: as they are.
        domains: Every domain and its images, as the card lists them.
        ready: Flat files that are there, and whole.
        missing: Those that are to be written.
        damaged: Those of ``missing`` that are there with a wrong checksum.
    """

    folder: Path
    size: int | None
    domains: tuple[tuple[str, tuple[Entry, ...]], ...]
    ready: tuple[Shard, ...]
    missing: tuple[Shard, ...]
    damaged: tuple[Shard, ...]

    @property
    def total(self) -> int:
        """Images of all domains."""
        return sum(len(entries) for _, entries in self.domains)

    @property
    def left(self) -> int:
        """Images that are still to be decoded."""
        return sum(len(shard.entries) for shard in self.missing)

    @property
    def held(self) -> int:
        """Bytes of the flat files that are there."""
        return sum(shard.path.stat().st_size for shard in self.ready)

    @property
    def unreadable(self) -> int:
        """Images of the flat files that are there which could not be decoded, and are not there."""
        indices = (read_index(str(shard.path)) for shard in self.ready)
        return sum(int((~index.kept).sum()) for index in indices if index is not None)


def plan(card: ImageFiles, out: Path, size: int | None) -> Plan:
    """Looks what is prepared already, every checksum included.

    Args:
        card: Of the data set.
        out: The folder that ``--dataset.cache`` will name.
        size: The shorter side that images are scaled to, unless it is smaller; None: as they are.

    Raises:
        InputError: There are no images; or those in ``out`` have another size.
        JaxclrError: A note in ``out`` is damaged.
    """
    folder = out / card.name
    if size is not None and size < 1:
        raise InputError(f"--size is {size}: give the shorter side of the images in pixels.")
    _check_size(folder, size)
    # As the card lists them, so that it finds the same keys again.
    collection = dataclasses.replace(card, cache=None, skip_unreadable=False).load()
    domains = tuple(
        (domain.name, domain.images.entries)
        for domain in collection.domains
        if isinstance(domain.images, Stored)
    )
    ready, missing, damaged = [], [], []
    for name, entries in domains:
        for shard in shards(folder, name, entries, size):
            index = read_index(str(shard.path))
            if index is not None and not is_sound(shard.path):
                damaged.append(shard)
                index = None
            usable = index is not None and (card.skip_unreadable or bool(index.kept.all()))
            (ready if usable else missing).append(shard)
    return Plan(folder, size, domains, tuple(ready), tuple(missing), tuple(damaged))


def measure(steps: Plan) -> Iterator[int]:
    """Reads the headers of images that are to be decoded, several at once.

    Yields:
        For each of them the bytes that it will take; 0 where its header cannot be read.
    """
    entries = [entry for shard in steps.missing for entry in shard.entries]
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(entries), WINDOW):
            window = entries[start : start + WINDOW]
            yield from pool.map(lambda entry: _bytes(entry, steps.size), window)


def check_space(steps: Plan, needed: int, said: Callable[[int], str]) -> int:
    """Makes sure that the disk has room.

    Args:
        steps: What is to be written.
        needed: Bytes of it.
        said: Says a number of bytes, for the message.

    Returns:
        Bytes that are free.

    Raises:
        InputError: The disk has fewer.
    """
    there = next(path for path in (steps.folder, *steps.folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"{steps.folder}: {said(needed)} are needed, {said(free)} are free. Free some space, "
            "choose another disk by --out, or have the images made smaller by --size."
        )
    return free


def prepare(
    steps: Plan, *, skip_unreadable: bool = False, told: Callable[[], object] = lambda: None
) -> None:
    """Decodes what is missing. Interrupted, it goes on where it stopped when planned anew.

    Args:
        steps: What :func:`plan` gave.
        skip_unreadable: Whether images that cannot be decoded are left out.
        told: Called after each image.

    Raises:
        Unreadable: An image cannot be decoded, and ``skip_unreadable`` is not set.
        JaxclrError: The folder cannot be written, or the disk is full.
    """
    try:
        note_size(steps.folder, steps.size)
        for shard in steps.damaged:
            # Without its index, a flat file is written anew.
            Path(f"{shard.path}.npz").unlink()
    except OSError as error:
        raise JaxclrError(
            f"{steps.folder}: cannot be written ({error.strerror}). Choose another folder by --out."
        ) from error
    for name, entries in steps.domains:
        cached(
            steps.folder, name, entries,
            skip_unreadable=skip_unreadable, size=steps.size, told=told,
        )  # fmt: skip


def _check_size(folder: Path, size: int | None) -> None:
    noted = noted_size(folder)
    if noted == size or not any(folder.glob("*.uint8")):
        return
    there, asked = (
        "as they are" if side is None else f"with a shorter side of {side} px"
        for side in (noted, size)
    )
    again = "Leave --size out" if noted is None else f"Give --size {noted}"
    raise InputError(
        f"{folder} holds images {there}, and they are to be prepared {asked}. {again}, or choose "
        "another folder by --out."
    )


def _bytes(entry: Entry, size: int | None) -> int:
    source = os.path.join(entry.container, entry.name) if entry.offset is None else None
    try:
        with Image.open(source or io.BytesIO(read(entry)), formats=FORMATS) as image:
            height, width = image.height, image.width
    except (*DAMAGE, JaxclrError):
        return 0
    if size is not None:
        height, width = scaled_shape(height, width, size)
    return 3 * height * width
