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
from jaxclr.pipeline.cache import cached, noted_size
from jaxclr.pipeline.files import printable
from jaxclr.pipeline.folds import KFOLD, ListFormat, read_lists, select
from jaxclr.pipeline.listing import Entry, Listing, list_images, without_suffix
from jaxclr.pipeline.storage import Stored, decode_all

logger = logging.getLogger(__name__)
# How many names a warning shows.
SHOWN = 5
UNKNOWN = -1
"""The label of an image whose class nobody noted."""


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
        label: Class of each image, as an index into ``Collection.classes``; int32. It is -1
            where nobody noted it.
        train: Which images may be trained on where this domain is a source. Where it is the
            target, all images with a label are tested.
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
class ImageFiles(Dataset, abc.ABC):
    """A card whose images are files."""

    root: str | None = None
    """Folder with the images."""

    cache: str | None = None
    """Folder for decoded images: uint8, memory-mapped; made at first use, or before by
    ``python -m jaxclr.datasets prepare``."""

    skip_unreadable: bool = False
    """Leave out and count images that cannot be decoded, instead of stopping at the first."""

    def _opened(
        self, name: str, entries: Sequence[Entry], paths: tuple[str, ...],
        label: Int[np.ndarray, " b"], train: Bool[np.ndarray, " b"],
    ) -> Domain:  # fmt: skip
        """The domain of these files, without those that are to be skipped."""
        images, kept = self._images(name, entries)
        if not kept.all():
            bad = [path for path, good in zip(paths, kept, strict=True) if not good]
            shown = printable(", ".join(bad[:SHOWN])) + (", ..." if len(bad) > SHOWN else "")
            logger.warning(
                "%s: left out %d images that cannot be decoded: %s",
                *(printable(name), len(bad), shown),
            )
            paths = tuple(path for path, good in zip(paths, kept, strict=True) if good)
        if not paths:
            raise JaxclrError(f"{self.name}: no image of {printable(name)} is left to read.")
        return Domain(name, paths, label[kept], train[kept], images)

    def _images(
        self, domain: str, entries: Sequence[Entry]
    ) -> tuple[Images, Bool[np.ndarray, " b"]]:
        """Opens a domain's images; the flags say which entries can be decoded."""
        if self.cache is not None:
            folder = Path(self.cache).expanduser() / self.name
            size = noted_size(folder)
            if size is not None:
                logger.warning(
                    "%s: images are read from %s, prepared with a shorter side of %d px",
                    *(printable(domain), printable(str(folder)), size),
                )
            return cached(folder, domain, entries, skip_unreadable=self.skip_unreadable, size=size)
        kept = np.ones(len(entries), bool)
        if self.skip_unreadable:
            images = decode_all(entries, skip_unreadable=True)
            kept = np.array([image is not None for image in images], bool)
        return Stored(tuple(itertools.compress(entries, kept))), kept


@dataclasses.dataclass(frozen=True)
class ImageFolders(ImageFiles, abc.ABC):
    """A card whose images are files, one folder per class, in a folder or in zips.

    A subclass says what it expects by the constants below; an empty one expects nothing.
    """

    root: str | None = None
    """Folder or zip with the images; by default $JAXCLR_DATA/<name>, then ./datasets/<name>."""

    follow_links: bool = False
    """Follow links that lead out of the root, as farms of links do, instead of refusing them. What
    they lead to is then read, wherever it is: only for folders whose links you know."""

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

    also: ClassVar[tuple[str, ...]] = ()
    """What else the folder with the images is usually called, if not like the card."""

    def class_name(self, folder: str) -> str:
        """Names the class of a folder; a card may drop prefixes here."""
        return folder

    def class_names(self, listing: Listing) -> tuple[str, ...]:
        """Names the classes of what was listed, in the order of their labels.

        Raises:
            InputError: There is a folder that is none of the card's classes.
        """
        folders = {self.class_name(member.folder) for member in listing.members}
        classes = self.classes or tuple(sorted(folders))
        if unknown := sorted(folders - set(classes)):
            raise InputError(
                f"{self.name} has no class {unknown[0]!r}, but there is a folder of that name. "
                f"{nearest(unknown[0], classes)}"
            )
        return classes

    def listed(self, place: Path) -> Listing:
        """Lists what lies in an existing folder or zip; a card of another layout does it here."""
        return list_images(place, self.domains, follow_links=self.follow_links)

    def load(self) -> Collection:
        """Lists the images of every domain; see :class:`Dataset`.

        Raises:
            InputError: The images are not there, or are not laid out as expected.
            JaxclrError: An image cannot be decoded, or the cache cannot be written.
        """
        listing = self.listing()
        names = self.domains or tuple(sorted({member.domain for member in listing.members}))
        self._check_domains({member.domain for member in listing.members})
        classes = self.class_names(listing)
        return Collection(tuple(self._domain(name, listing, classes) for name in names), classes)

    def places(self) -> list[Path]:
        """Where the images may be, the likeliest first."""
        if self.root is not None:
            return [Path(self.root).expanduser()]
        shared = os.environ.get("JAXCLR_DATA")
        folders = [Path(shared).expanduser()] if shared else []
        names = (self.name, *self.also)
        return [folder / name for folder in (*folders, Path("datasets")) for name in names]

    def listing(self) -> Listing:
        """Lists the first place that holds an image.

        Raises:
            InputError: None does, or images are not laid out as expected.
        """
        return self.found()[1]

    def found(self) -> tuple[Path, Listing]:
        """The first place that holds an image, and all that :meth:`listed` lists there.

        Raises:
            InputError: There is none, or images are not laid out as expected.
        """
        places = self.places()
        for place in places:
            if place.exists() and (listing := self.listed(place)).members:
                return place, listing
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
        paths = tuple(member.path for member in members)
        labels = np.array([label[path] for path in paths], np.int32)
        return self._opened(name, [member.entry for member in members], paths, labels, train)
