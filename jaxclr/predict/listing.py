"""Which images are to be predicted: files, and what lies in folders and zips."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from jaxclr.errors import InputError
from jaxclr.pipeline.decoding import FORMATS
from jaxclr.pipeline.files import Entry, printable, walked, zipped

DEPTH = 100
"""Folders within folders that are looked into."""


def list_images(places: Sequence[Path]) -> list[Entry]:
    """Lists images in the order of the places, those of a folder or a zip by their names.

    A file is taken whatever it is called. Of folders and zips the files are whose names end as
    those of the formats that are read do; hidden ones are passed over, links are followed.

    Args:
        places: Files, folders or zips.

    Returns:
        One entry an image, however often it is named.

    Raises:
        InputError: A place is not there, cannot be listed, or none holds an image.
    """
    found = {path_of(entry): entry for place in places for entry in _of(place)}
    if not found:
        looked = ", ".join(printable(str(place)) for place in places)
        raise InputError(f"No images in {looked}. Looked for there: *{', *'.join(suffixes())}.")
    return list(found.values())


def path_of(entry: Entry) -> str:
    """Where an image is: the place as it was given, and the way from there."""
    return os.path.join(entry.container, entry.name)


def suffixes() -> tuple[str, ...]:
    """How the names of images end: all that Pillow knows of the formats that are read."""
    return tuple(
        sorted(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)
    )


def _of(place: Path) -> Iterator[Entry]:
    try:
        status = place.stat()
    except OSError as error:
        raise InputError(
            f"{printable(str(place))}: cannot be read ({error.strerror}). Give images, or folders "
            "or zips of them."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        below = walked(place, follow_links=True, suffixes=suffixes(), depth=DEPTH)
        yield from sorted(below, key=lambda entry: entry.name)
    elif not stat.S_ISREG(status.st_mode):
        raise InputError(f"{printable(str(place))}: neither a file nor a folder.")
    elif place.suffix.lower() == ".zip":
        yield from sorted(zipped(place, suffixes=suffixes()), key=lambda entry: entry.name)
    else:
        yield Entry("", str(place), None, status.st_size, False, status.st_mtime_ns)
