"""Data sets that TensorFlow Datasets has prepared, read from disk without TensorFlow."""

import abc
import dataclasses
import logging
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int

from jaxclr.errors import InputError
from jaxclr.pipeline.records import Records, command, find, record, source
from jaxclr.pipeline.source import UNKNOWN, Collection, Dataset, Domain

logger = logging.getLogger(__name__)


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

    def load(self) -> Collection:
        """Opens the data set; decodes no image, but reads all that have a label.

        Raises:
            InputError: TFDS is not installed, the data set is not there, or it is prepared in
                another format or with other classes.
            JaxclrError: A file of it is missing or damaged.
        """
        # What was opened before may have been prepared anew since.
        source.cache_clear()
        folder, info = find(
            self.name, self.builder, self.root,
            f"The images are those of {self.home}; TensorFlow Datasets fetches and prepares them: "
            f"{command(self.builder)}. That alone needs TensorFlow, which may be in another "
            "environment.",
        )  # fmt: skip
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
                    f"Prepare it anew: {command(self.builder)}."
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
