"""A small data set for the tests of the pipeline: other pixels for every name."""

import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from jaxclr.pipeline.source import Collection, ImageFolders

NAMES = [
    "ink/cat/a.png",
    "ink/cat/b.png",
    "ink/dog/a.png",
    "oil/cat/a.png",
    "oil/dog/a.png",
    "oil/dog/z.PNG",
]


@dataclasses.dataclass(frozen=True)
class Things(ImageFolders):
    how_to_get = "Ask the keeper of things."


def pixels(name: str) -> np.ndarray:
    """Other pixels, and another size, for every name."""
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, 256, (*rng.integers(4, 12, 2), 3), np.uint8)


def png(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels(name)).save(buffer, "PNG")
    return buffer.getvalue()


def fill(root: Path, names=NAMES) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(name))
    return root


def pack(path: Path, names=NAMES, leading="", method=zipfile.ZIP_STORED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(leading + name, png(name))
    return path


def summary(collection: Collection):
    return collection.classes, [
        (d.name, d.paths, d.label.tolist(), d.train.tolist(), [i.tobytes() for i in d.images])
        for d in collection.domains
    ]
