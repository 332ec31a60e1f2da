"""Benchmarks: image folders that results are published for, and what is known of them."""

import abc
import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType
from typing import ClassVar

from jaxclr.errors import InputError, nearest
from jaxclr.pipeline.listing import Listing, Member
from jaxclr.pipeline.source import Collection, ImageFolders

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Benchmark(ImageFolders, abc.ABC):
    """A card of image folders whose images are published, and so known beforehand.

    A subclass says what is known by the constants below; what is empty is not known.
    """

    counts: ClassVar[MappingProxyType[str, int]] = MappingProxyType({})
    """Images of each domain that can be used."""

    counts_per_class: ClassVar[MappingProxyType[str, tuple[int, ...]]] = MappingProxyType({})
    """Images of each class of each domain, in the order of ``classes``."""

    total: ClassVar[int | None] = None
    """Images of all domains together, where only that was published."""

    labels_per_class: ClassVar[tuple[int, ...]] = ()
    """Labeled images per class and source domain that results are published for."""

    input_size: ClassVar[int]
    """Side of the images that networks of the field are given, in pixels."""

    home: ClassVar[str]
    """The official page."""

    file: ClassVar[str]
    """What is to be had there."""

    license: ClassVar[str]
    """Under which terms."""

    citation: ClassVar[str]
    """Authors, title, place and year of the paper, and its address."""

    def load(self) -> Collection:
        """Lists the images of every domain; warns where their number is not the published one.

        Raises:
            InputError: The images are not there, or are not laid out as expected.
            JaxclrError: An image cannot be decoded, or the cache cannot be written.
        """
        collection = super().load()
        for domain in collection.domains:
            published = self.counts.get(domain.name, len(domain.paths))
            if len(domain.paths) != published:
                logger.warning(
                    "%s: %d images are here, %d were published",
                    *(domain.name, len(domain.paths), published),
                )
        return collection


@dataclasses.dataclass(frozen=True)
class Regrouped(Benchmark, abc.ABC):
    """A benchmark whose domains are not its folders: something noted of an image tells its domain.

    Not every class is seen in every domain then, but every source must show every class:
    ``only`` and ``at_least`` choose what is used.
    """

    only: tuple[str, ...] = ()
    """Domains to use; empty: all there are."""

    at_least: int = 0
    """Classes with fewer images to train on in some domain that is used are left out."""

    def chosen(self, members: Sequence[Member]) -> tuple[Member, ...]:
        """Keeps the images of the domains and classes that are to be used, sorted by path.

        Raises:
            InputError: There is no such domain, or no class has so many images in each.
        """
        found = sorted({member.domain for member in members})
        for name in self.only if found else ():
            if name not in found:
                raise InputError(f"{self.name} has no domain {name!r}. {nearest(name, found)}")
        domains = self.only or found
        kept = [member for member in members if member.domain in domains]
        seen = Counter(
            (member.domain, member.folder) for member in kept if member.fold in ("", "train")
        )
        folders = {member.folder for member in kept}
        enough = {
            folder
            for folder in folders
            if all(seen[domain, folder] >= self.at_least for domain in domains)
        }
        if folders and not enough:
            raise InputError(
                f"{self.name}: no class has {self.at_least} images to train on in each of "
                f"{', '.join(domains)}. Lower --dataset.at-least, or choose domains by "
                "--dataset.only."
            )
        kept = [member for member in kept if member.folder in enough]
        return tuple(sorted(kept, key=lambda member: member.path))

    def class_names(self, listing: Listing) -> tuple[str, ...]:
        """Names the classes that are used, in the order of their labels.

        Raises:
            InputError: There is a folder that is none of the card's classes.
        """
        names = super().class_names(listing)
        used = {self.class_name(member.folder) for member in listing.members}
        return tuple(name for name in names if name in used) if self.at_least else names


def is_there(member: Member) -> bool:
    """Tells images from what is only listed, or linked to, and is not there."""
    return member.entry.offset is not None or (member.entry.size, member.entry.stamp) != (0, 0)
