"""Where images come from: a card is loaded into domains, each a fixed order of images."""

import abc
import dataclasses
import itertools
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, UInt8

from jaxclr.errors import InputError, JaxclrError, nearest
from jaxclr.pipeline.cache import cached
from jaxclr.pipeline.folds import KFOLD, ListFormat, read_lists, select
from jaxclr.pipeline.listing import Entry, Listing, list_images, without_suffix
from jaxclr.pipeline.storage import Stored, decode_all

logger = logging.getLogger(__name__)
# How many names a warning shows.
SHOWN = 5


@runtime_checkable
class Images(Protocol):
    """Random access to decoded images; cheap to pickle, and safe to read from many threads."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Counts the images."""
        ...

    @abc.abstractmethod
    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]:
        """Reads one image as RGB in [0, 255]; not to be written into."""
        ...


class Domain(NamedTuple):
    """One domain's images in a fixed order.

    Attributes:
        name: What the domain is called, as in ``--target``.
        paths: Identity of each image, ``<domain>/<class>/<file>``, sorted; what split files name.
        label: Class of each image, as an index into ``Collection.classes``; int32.
        train: Which images may be trained on where this domain is a source. Where it is the
            target, all images are tested.
        images: The images themselves, in the order of ``paths``.
    """

    name: str
    paths: tuple[str, ...]
    label: Int[np.ndarray, " b"]
    train: Bool[np.ndarray, " b"]
    images: Images


class Collection(NamedTuple):
    """Several domains that show the same classes."""

    domains: tuple[Domain, ...]
    classes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Dataset(abc.ABC):
    """A card: what a data set is, and how its images are reached."""

    @property
    def name(self) -> str:
        """The card's class in snake case: ``OfficeHome`` is ``office_home``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @abc.abstractmethod
    def load(self) -> Collection:
        """Lists all images; decodes none of them unless it has to.

        Raises:
            InputError: The images are not there, or are not laid out as expected.
        """


@dataclasses.dataclass(frozen=True)
class ImageFolders(Dataset, abc.ABC):
    """A card whose images are files, one folder per class, in a folder or in zips.

    A subclass says what it expects by the constants below; an empty one expects nothing.
    """

    root: str | None = None
    """Folder or zip with the images; by default $JAXCLR_DATA/<name>, then ./datasets/<name>."""

    cache: str | None = None
    """Folder for decoded images: uint8, memory-mapped; made at first use."""

    skip_unreadable: bool = False
    """Leave out and count images that cannot be decoded, instead of stopping at the first."""

    domains: ClassVar[tuple[str, ...]] = ()
    """Domains to load, in this order; empty: all that are found, sorted."""

    classes: ClassVar[tuple[str, ...]] = ()
    """Names of the classes in the order of their labels; empty: those found, sorted."""

    layout: ClassVar[str] = "<domain>/<class>/*.{jpg,jpeg,png}, in a folder or in zips"
    """What is expected below the root, for messages."""

    how_to_get: ClassVar[str] = ""
    """A sentence on where the images are to be had, for messages."""

    left_out: ClassVar[frozenset[str]] = frozenset()
    """Images never used, as ``<domain>/<class>/<stem>``."""

    lists: ClassVar[ListFormat] = KFOLD
    """How files that list training images are named and numbered, where there are any."""

    def class_name(self, folder: str) -> str:
        """Names the class of a folder; a card may drop prefixes here."""
        return folder

    def load(self) -> Collection:
        """Lists the images of every domain; see :class:`Dataset`.

        Raises:
            InputError: The images are not there, or are not laid out as expected.
            JaxclrError: An image cannot be decoded, or the cache cannot be written.
        """
        listing = self._listing()
        names = self.domains or tuple(sorted({member.domain for member in listing.members}))
        self._check_domains({member.domain for member in listing.members})
        folders = {self.class_name(member.folder) for member in listing.members}
        classes = self.classes or tuple(sorted(folders))
        if unknown := sorted(folders - set(classes)):
            raise InputError(
                f"{self.name} has no class {unknown[0]!r}, but there is a folder of that name. "
                f"{nearest(unknown[0], classes)}"
            )
        return Collection(tuple(self._domain(name, listing, classes) for name in names), classes)

    def _places(self) -> list[Path]:
        """Where the images may be, the likeliest first."""
        if self.root is not None:
            return [Path(self.root).expanduser()]
        shared = os.environ.get("JAXCLR_DATA")
        folders = [Path(shared).expanduser()] if shared else []
        return [folder / self.name for folder in (*folders, Path("datasets"))]

    def _listing(self) -> Listing:
        """Lists the first place that holds an image."""
        places = self._places()
        for place in places:
            if place.exists() and (listing := list_images(place, self.domains)).members:
                return listing
        looked = ", ".join(
            f"{place} ({'no such images in it' if place.exists() else 'not there'})"
            for place in places
        )
        raise InputError(
            f"No images of {self.name!r}. Looked at: {looked}. Expected there: {self.layout}. "
            f"{self.how_to_get} Another place is given by --dataset.root, or by $JAXCLR_DATA, the "
            f"folder that holds {self.name!r}."
        )

    def _check_domains(self, found: set[str]) -> None:
        if missing := [name for name in self.domains if name not in found]:
            raise InputError(
                f"{self.name}: no images of {', '.join(missing)}, only of "
                f"{', '.join(sorted(found))}. Expected: {self.layout}. {self.how_to_get}"
            )

    def _domain(self, name: str, listing: Listing, classes: Sequence[str]) -> Domain:
        """Gathers one domain: its images, their classes, and which may be trained on."""
        members = [
            member
            for member in listing.members
            if member.domain == name and without_suffix(member.path) not in self.left_out
        ]
        index = {class_name: number for number, class_name in enumerate(classes)}
        label = {member.path: index[self.class_name(member.folder)] for member in members}
        lists = read_lists(listing.texts, self.lists, name)
        members, train = select(members, label, lists, self.left_out)
        images, kept = self._images(name, [member.entry for member in members])
        paths = tuple(member.path for member in members)
        if not kept.all():
            bad = [path for path, good in zip(paths, kept, strict=True) if not good]
            logger.warning(
                "%s: left out %d images that cannot be decoded: %s%s",
                *(name, len(bad), ", ".join(bad[:SHOWN]), ", ..." if len(bad) > SHOWN else ""),
            )
            paths = tuple(path for path, good in zip(paths, kept, strict=True) if good)
        if not paths:
            raise JaxclrError(f"{self.name}: no image of {name} is left to read.")
        labels = np.array([label[path] for path in paths], np.int32)
        return Domain(name, paths, labels, train[kept], images)

    def _images(
        self, domain: str, entries: Sequence[Entry]
    ) -> tuple[Images, Bool[np.ndarray, " b"]]:
        """Opens a domain's images; the flags say which entries can be decoded."""
        if self.cache is not None:
            folder = Path(self.cache).expanduser() / self.name
            return cached(folder, domain, entries, skip_unreadable=self.skip_unreadable)
        kept = np.ones(len(entries), bool)
        if self.skip_unreadable:
            images = decode_all(entries, skip_unreadable=True)
            kept = np.array([image is not None for image in images], bool)
        return Stored(tuple(itertools.compress(entries, kept))), kept
