"""What is there of a data set: the images of every domain and their classes, right or wrong."""

import functools
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.benchmark import is_there
from jaxclr.pipeline.listing import Listing, Member, without_suffix
from jaxclr.pipeline.source import Dataset, ImageFolders, Images
from jaxclr.pipeline.storage import WINDOW, Stored


class Part(NamedTuple):
    """What is there of one domain.

    Attributes:
        domain: Its name.
        paths: Identity of each image.
        classes: The name of each image's class; "" where nobody noted it.
        images: The images themselves, in the order of ``paths``.
    """

    domain: str
    paths: tuple[str, ...]
    classes: tuple[str, ...]
    images: Images


class Contents(NamedTuple):
    """What is there of a data set.

    Attributes:
        origin: Where it is.
        classes: Names of the classes, in the order of their labels.
        parts: The domains, in their order; one that is not there is empty.
        listing: All files that were found, if the images are in folders.
        bad: Those of them that are known to be bad, and not in ``parts``.
    """

    origin: str
    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    listing: Listing | None = None
    bad: tuple[Member, ...] = ()

    @property
    def total(self) -> int:
        """Images of all domains that can be used."""
        return sum(len(part.paths) for part in self.parts)


def contents(card: Dataset) -> Contents:
    """Lists what is there of a data set, without what is known to be bad; decodes nothing.

    Unlike ``load()`` it lists image folders that are not as they should be, too.

    Raises:
        InputError: There are no images at all, or they cannot be told apart.
        JaxclrError: A file of the data set is missing or damaged.
    """
    if isinstance(card, ImageFolders):
        return _of_folders(card)
    collection = card.load()
    # The label of an image without one is -1.
    names = (*collection.classes, "")
    parts = tuple(
        Part(domain.name, domain.paths, tuple(names[i] for i in domain.label), domain.images)
        for domain in collection.domains
    )
    return Contents(str(getattr(card, "root", None) or ""), collection.classes, parts)


def _of_folders(card: ImageFolders) -> Contents:
    place, listing = card.found()
    try:
        classes = card.class_names(listing)
    except InputError:
        if not card.classes:
            raise
        classes = card.classes
    domains = card.domains or sorted({member.domain for member in listing.members})
    by_domain: dict[str, list[Member]] = {name: [] for name in domains}
    for member in listing.members:
        known = card.class_name(member.folder) in classes
        if known and is_there(member) and not is_bad(card, member):
            by_domain[member.domain].append(member)
    parts = tuple(
        Part(
            name,
            tuple(member.path for member in members),
            tuple(card.class_name(member.folder) for member in members),
            Stored(tuple(member.entry for member in members)),
        )
        for name, members in by_domain.items()
    )
    bad = tuple(member for member in listing.members if is_bad(card, member))
    return Contents(str(place), classes, parts, listing, bad)


def is_bad(card: ImageFolders, member: Member) -> bool:
    """Tells the images that the card leaves out, since they are known to be bad."""
    return without_suffix(member.path) in card.left_out


def look(images: Images) -> Iterator[bytes | None]:
    """Decodes all images, several at once, to see which of them are the same.

    Yields:
        For each image, in order, a digest that only the same pixels in the same shape have; None
        if it cannot be read or decoded.
    """
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(images), WINDOW):
            indices = range(start, min(start + WINDOW, len(images)))
            yield from pool.map(functools.partial(_digest, images), indices)


def _digest(images: Images, index: int) -> bytes | None:
    try:
        image = images[index]
    except JaxclrError:
        return None
    return hashlib.blake2b(
        image.tobytes(), digest_size=16, person=repr(image.shape).encode()[:16]
    ).digest()
