"""What TensorFlow Datasets has prepared, found on disk and read without TensorFlow."""

import dataclasses
import functools
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.decoding import decoded
from jaxclr.pipeline.rows import located

FORMAT = "array_record"
INFO = "dataset_info.json"
VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class Records:
    """Images of some splits, one split after the other.

    Pickled by path, and opened anew in each process that reads them.
    """

    folder: str
    """That of a prepared version."""
    parts: tuple[tuple[str, int], ...]
    """Splits, and how many images each has."""
    image: str = "image"
    """The feature that they are."""

    def __len__(self) -> int:
        """Counts the images."""
        return sum(count for _, count in self.parts)

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]:
        """Decodes one image to RGB.

        Raises:
            JaxclrError: The file that holds it is missing or damaged.
        """
        split, place = located(self.parts, index)
        encoded = record(self.folder, split, place, self.image)[self.image]
        return decoded(encoded, f"{self.folder}: image {place} of {split!r}")


def find(name: str, builder: str, root: str | None, how_to_get: str) -> tuple[str, Any]:
    """Finds the newest prepared version that single images can be read of.

    Args:
        name: What we call the data set, for messages.
        builder: What TFDS calls the data set, ``<name>`` or ``<name>/<config>``.
        root: Where to look, and nowhere else; None: in the usual places.
        how_to_get: A sentence for the message that there is none.

    Returns:
        Its folder, and what TFDS says of it.

    Raises:
        InputError: There is none, or it is prepared in another format.
    """
    looked_in, others = places(root), []
    for folder in (folder for place in looked_in for folder in versions(place, builder)):
        info = opened(folder).info
        if builder in (info.name, f"{info.name}/{info.config_name}"):
            if FORMAT in (formats := [form.value for form in info.available_file_formats()]):
                return folder, info
            others.append(f"{folder}: {builder} is prepared as {', '.join(formats)}")
    if others:
        raise InputError(
            f"{others[0]}, of which single images cannot be read. Remove the folder, or choose "
            f"another by --data_dir, and prepare it anew: {command(builder)}."
        )
    looked = ", ".join(f"{p} ({'not in it' if p.exists() else 'not there'})" for p in looked_in)
    raise InputError(
        f"No images of {name!r}. Looked for {builder}/<version>/{INFO} in: {looked}. "
        f"{how_to_get} Another place is given by --dataset.root, or by $JAXCLR_DATA."
    )


def command(builder: str) -> str:
    """What prepares a data set of TFDS."""
    return f"tfds build {builder} --file_format={FORMAT}"


def places(root: str | None) -> list[Path]:
    """Where a data set may be, the likeliest first."""
    if root is not None:
        return [Path(root).expanduser()]
    shared = os.environ.get("JAXCLR_DATA")
    usual = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return [Path(place).expanduser() for place in (shared, usual) if place]


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
def source(folder: str, split: str, image: str) -> Any:
    """Opens a split, once in each process.

    Args:
        folder: That of a prepared version.
        split: As TFDS calls it.
        image: The feature that is an image.

    Returns:
        A sequence of records whose images are as they lie in the file.
    """
    as_it_is = {image: tfds().decode.SkipDecoding()}
    return opened(folder).as_data_source(split, decoders=as_it_is, file_format=FORMAT)


def record(folder: str, split: str, index: int, image: str = "image") -> dict[str, Any]:
    """Reads one record; safe to call from many threads.

    Args:
        folder: That of a prepared version.
        split: As TFDS calls it.
        index: Place in the split, in [0, its length).
        image: The feature that is an image.

    Returns:
        All features, the image encoded.

    Raises:
        JaxclrError: The file that holds it is missing or damaged.
    """
    try:
        return source(folder, split, image)[index]
    except (RuntimeError, ValueError, OSError) as error:
        raise JaxclrError(
            f"{folder}: record {index} of {split!r} cannot be read ({error}). Prepare it anew."
        ) from error


def tfds() -> ModuleType:
    """TensorFlow Datasets itself, an optional dependency.

    Raises:
        InputError: It is not installed.
    """
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise lacking_tfds(error) from error
    return tensorflow_datasets


def lacking_tfds(error: ImportError) -> InputError:
    """Says that TFDS is not installed, and how to install it."""
    return InputError(
        "Prepared data sets are read and written by the package tensorflow-datasets, and there is "
        f"none ({error}). Install it: pip install 'jaxclr[tfds]'."
    )
