"""Data sets that TensorFlow Datasets has prepared, read from disk without TensorFlow."""

import abc
import dataclasses
import functools
import io
import logging
import os
import re
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.source import Collection, Dataset, Domain
from jaxclr.pipeline.storage import DAMAGE

logger = logging.getLogger(__name__)
FORMAT = "array_record"
INFO = "dataset_info.json"
VERSION = re.compile(r"\d+\.\d+\.\d+")
UNKNOWN = -1
"""The label of an image whose class nobody noted."""


@dataclasses.dataclass(frozen=True)
class Prepared(Dataset, abc.ABC):
    """A card whose images TensorFlow Datasets (TFDS) prepared in its format array_record.

    The data set is one source domain ``train`` and one target domain ``test``, which makes plain
    semi-supervised learning a case of generalization: an experiment on it has
    ``targets=("test",)``. A subclass says what it expects by the constants below.
    """

    root: str | None = None
    """Folder that TFDS prepared data sets in, or this one's own folder in it; by default
    $JAXCLR_DATA, then where TFDS itself looks: $TFDS_DATA_DIR, or ~/tensorflow_datasets."""

    builder: ClassVar[str]
    """What TFDS calls the data set."""

    classes: ClassVar[tuple[str, ...]]
    """Names of the classes in the order of their labels."""

    counts: ClassVar[MappingProxyType[str, int]]
    """Images of each split, as TFDS calls it."""

    unlabeled: ClassVar[frozenset[str]] = frozenset()
    """Splits whose images have no label."""

    image_size: ClassVar[int]
    """Height and width of every image, in pixels."""

    home: ClassVar[str]
    """The page that the images come from."""

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """The splits of each domain, sorted."""
        return {"train": ("train",), "test": ("test",)}

    @property
    def command(self) -> str:
        """What prepares the data set."""
        return f"tfds build {self.builder} --file_format={FORMAT}"

    def load(self) -> Collection:
        """Opens the data set; decodes no image, but reads all that have a label.

        Raises:
            InputError: TFDS is not installed, the data set is not there, or it is prepared in
                another format or with other classes.
            JaxclrError: A file of it is missing or damaged.
        """
        # What was opened before may have been prepared anew since.
        source.cache_clear()
        folder, info = self._found()
        found = tuple(info.features["label"].names)
        if found != self.classes:
            raise InputError(f"{folder}: the classes are {', '.join(found)}, not those expected.")
        domains = tuple(self._domain(name, folder, info) for name in self.splits)
        return Collection(domains, self.classes)

    def _domain(self, name: str, folder: str, info: Any) -> Domain:
        """Describes one domain: its splits, one after the other."""
        parts, paths, label = [], [], []
        for split in self.splits[name]:
            if split not in info.splits:
                raise InputError(
                    f"{folder} has no split {split!r}, only {', '.join(sorted(info.splits))}. "
                    f"Prepare it anew: {self.command}."
                )
            count = info.splits[split].num_examples
            if count != self.counts[split]:
                logger.warning(
                    "%s: %d images of %r are here, %d were published",
                    *(self.name, count, split, self.counts[split]),
                )
            parts.append((split, count))
            paths += [f"{name}/{split}/{index:06}" for index in range(count)]
            unknown = split in self.unlabeled
            label.append(
                np.full(count, UNKNOWN, np.int32) if unknown else labels(folder, split, count)
            )
        images = Records(folder, tuple(parts))
        return Domain(name, tuple(paths), np.concatenate(label), np.ones(len(paths), bool), images)

    def _found(self) -> tuple[str, Any]:
        """The folder of the newest version that can be read, and what TFDS says of it."""
        places, others = self._places(), []
        for folder in (folder for place in places for folder in versions(place, self.builder)):
            info = opened(folder).info
            if info.name == self.builder:
                if FORMAT in (formats := [form.value for form in info.available_file_formats()]):
                    return folder, info
                others.append(f"{folder}: {self.builder} is prepared as {', '.join(formats)}")
        if others:
            raise InputError(
                f"{others[0]}, of which single images cannot be read. Remove the folder, or choose "
                f"another by --data_dir, and prepare it anew: {self.command}."
            )
        looked = ", ".join(f"{p} ({'not in it' if p.exists() else 'not there'})" for p in places)
        raise InputError(
            f"No images of {self.name!r}. Looked for {self.builder}/<version>/{INFO} in: {looked}. "
            f"The images are those of {self.home}; TensorFlow Datasets fetches and prepares them: "
            f"{self.command}. That alone needs TensorFlow, which may be in another environment. "
            "Another place is given by --dataset.root, or by $JAXCLR_DATA."
        )

    def _places(self) -> list[Path]:
        """Where the data set may be, the likeliest first."""
        if self.root is not None:
            return [Path(self.root).expanduser()]
        shared = os.environ.get("JAXCLR_DATA")
        usual = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
        return [Path(place).expanduser() for place in (shared, usual) if place]


@dataclasses.dataclass(frozen=True)
class Records:
    """Images of some splits, one split after the other.

    Pickled by path, and opened anew in each process that reads them.
    """

    folder: str
    """That of a prepared version."""
    parts: tuple[tuple[str, int], ...]
    """Splits, and how many images each has."""

    def __len__(self) -> int:
        """Counts the images."""
        return sum(count for _, count in self.parts)

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]:
        """Decodes one image to RGB.

        Raises:
            JaxclrError: The file that holds it is missing or damaged.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        ends = np.cumsum([count for _, count in self.parts])
        part = int(np.searchsorted(ends, index, side="right"))
        split, count = self.parts[part]
        place = index - int(ends[part]) + count
        encoded = record(self.folder, split, place)["image"]
        try:
            with Image.open(io.BytesIO(encoded)) as image:
                return np.array(image.convert("RGB"))
        except DAMAGE as error:
            raise JaxclrError(
                f"{self.folder}: image {place} of {split!r} cannot be decoded ({error})."
            ) from error


def versions(place: Path, builder: str) -> list[str]:
    """Folders of prepared versions, the newest first.

    Args:
        place: Such a folder, one that holds versions, or one that holds data sets.
        builder: Name of the data set that is looked for.
    """
    homes = [home for home in (place, place / builder) if home.is_dir()]
    folders = [f for home in homes for f in home.iterdir() if VERSION.fullmatch(f.name)]
    folders.sort(key=lambda folder: [int(part) for part in folder.name.split(".")], reverse=True)
    return [str(folder) for folder in (place, *folders) if (folder / INFO).is_file()]


def opened(folder: str) -> Any:
    """Opens a prepared version by TFDS, as its builder.

    Raises:
        InputError: TFDS is not installed, or what it noted about the version is damaged.
    """
    builder_from_directory = tfds().builder_from_directory
    try:
        return builder_from_directory(folder)
    except Exception as error:  # TFDS lets through whatever its parsers raise.
        raise InputError(f"{folder}: TensorFlow Datasets cannot open it ({error}).") from error


@functools.cache
def source(folder: str, split: str) -> Any:
    """Opens a split, once in each process.

    Args:
        folder: That of a prepared version.
        split: As TFDS calls it.

    Returns:
        A sequence of records whose images are as they lie in the file.
    """
    as_it_is = {"image": tfds().decode.SkipDecoding()}
    return opened(folder).as_data_source(split, decoders=as_it_is, file_format=FORMAT)


def record(folder: str, split: str, index: int) -> dict[str, Any]:
    """Reads one record; safe to call from many threads.

    Args:
        folder: That of a prepared version.
        split: As TFDS calls it.
        index: Place in the split, in [0, its length).

    Returns:
        ``image``, encoded; ``label``; and what else there is.

    Raises:
        JaxclrError: The file that holds it is missing or damaged.
    """
    try:
        return source(folder, split)[index]
    except (RuntimeError, ValueError, OSError) as error:
        raise JaxclrError(
            f"{folder}: record {index} of {split!r} cannot be read ({error}). Prepare it anew."
        ) from error


def labels(folder: str, split: str, count: int) -> Int[np.ndarray, " b"]:
    """Reads the labels of a split.

    Args:
        folder: That of a prepared version.
        split: As TFDS calls it.
        count: How many images it has.

    Raises:
        JaxclrError: A file of it is missing or damaged.
    """
    return np.array([record(folder, split, index)["label"] for index in range(count)], np.int32)


def tfds() -> ModuleType:
    """TensorFlow Datasets itself, an optional dependency.

    Raises:
        InputError: It is not installed.
    """
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise InputError(
            f"Prepared data sets are read by the package tensorflow-datasets, and there is none "
            f"({error}). Install it: pip install 'jaxclr[tfds]'."
        ) from error
    return tensorflow_datasets
