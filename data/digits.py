"""Digits: scanned and printed digits in four looks; made in memory, nothing to download.

``python -m jaxclr.data.digits`` prints their checksums; followed by a name such as ``digits.png``,
it also writes a contact sheet.
"""

import dataclasses
import functools
import hashlib
import importlib.util
import sys
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from jaxtyping import Int, UInt8

from jaxclr.data.digits_glyphs import FONTS
from jaxclr.data.digits_render import SIZE, outlined, plain, printed, textured
from jaxclr.pipeline.source import Collection, Dataset, Domain

CLASSES = tuple("0123456789")
SCANNED = ("scan", "texture", "outline")
PRINTED_PER_CLASS = 60


@dataclasses.dataclass(frozen=True)
class Digits(Dataset):
    """2,397 images (32 x 32) of 10 classes in 4 domains, the same bytes on every machine.

    ===========  ======  =========  ===========================================================
    domain       images  per class  what it shows
    ===========  ======  =========  ===========================================================
    ``scan``     599     58 to 61   scanned handwriting, white on black
    ``texture``  599     58 to 61   scanned handwriting, textured, over coloured textures
    ``outline``  599     58 to 61   contours of scanned handwriting, thin lines on pale paper
    ``print``    600     60         twenty fonts, warped, in grey on grey, with grain
    ===========  ======  =========  ===========================================================

    Each of the 1,797 scans is used in one domain only, so none is seen both in training and in
    the test. Labeled images per class and source domain are usually 10.

    How to get it: it is made at first use, in about a second, from what scikit-learn and
    matplotlib ship.

    License: the scans are the test part of UCI's *Optical Recognition of Handwritten Digits*,
    CC BY 4.0; the fonts are DejaVu, STIX and Computer Modern, each under its own free license,
    as shipped with matplotlib.

    References:
        Alpaydin, Kaynak, `Optical Recognition of Handwritten Digits
        <https://doi.org/10.24432/C50P49>`_, UCI Machine Learning Repository, 1998.
    """

    domains: ClassVar[tuple[str, ...]] = (*SCANNED, "print")
    classes: ClassVar[tuple[str, ...]] = CLASSES
    image_size: ClassVar[int] = SIZE

    counts: ClassVar[MappingProxyType[str, int]] = MappingProxyType(
        {"scan": 599, "texture": 599, "outline": 599, "print": 600}
    )
    """Images of each domain."""

    labels_per_class: ClassVar[tuple[int, ...]] = (10,)
    """Labeled images per class and source domain that the domains were tuned for."""

    checksums: ClassVar[MappingProxyType[str, str]] = MappingProxyType(
        {
            "scan": "bad8072d4c8d12d128021283f160cce46fe2748e7913cb5d1c3ce201ca630c4c",
            "texture": "007f1090adc6bf5c1120fb87b5a02255e7a4407b1a1c73dd9160fe8b1445ae3a",
            "outline": "3b8346ae75e49767b612e081b95babb6944b8caac5b5ad123b7c606a90151540",
            "print": "f94d380599e6d633bb667b81520857f38705571c66294d7cb83bfb50fc892837",
        }
    )
    """SHA-256 of each domain's images as bytes: images in order, then rows, columns, RGB."""

    def load(self) -> Collection:
        """Lists the images; a domain's are made when the first of them is read."""
        return Collection(tuple(domain(name) for name in self.domains), self.classes)


@dataclasses.dataclass(frozen=True)
class Rendered:
    """One domain's images; pickled by name, and made anew in each process that reads them."""

    domain: str

    def __len__(self) -> int:
        """Counts the images."""
        return Digits.counts[self.domain]

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "32 32 3"]:
        """Reads one image as RGB in [0, 255]; read-only."""
        return pixels(self.domain)[index]


def domain(name: str) -> Domain:
    """Describes the images of one of ``Digits.domains``."""
    paths = listing(name)
    label = np.array([int(path.split("/")[1]) for path in paths], np.int32)
    return Domain(name, paths, label, np.ones(len(paths), bool), Rendered(name))


@functools.cache
def scans() -> tuple[UInt8[np.ndarray, "b 8 8"], Int[np.ndarray, " b"]]:
    """Loads the scans, as counts of inked pixels 0..16, and the digits they show."""
    # The file that sklearn.datasets.load_digits reads, without the import, which takes longer than
    # all the rest of making the images.
    sklearn = importlib.util.find_spec("sklearn")
    if sklearn is None or sklearn.origin is None:
        raise ModuleNotFoundError("The digits are part of scikit-learn, which is not installed.")
    table = np.loadtxt(Path(sklearn.origin).parent / "datasets/data/digits.csv.gz", delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8).astype(np.uint8), table[:, -1].astype(int)


def stream(key: int) -> np.random.Generator:
    """Random numbers that depend on the key alone, on any machine."""
    return np.random.Generator(np.random.Philox(key=key))


@functools.cache
def listing(name: str) -> tuple[str, ...]:
    """Names a domain's images, sorted: ``scan/<digit>/<scan>`` or ``print/<digit>/<font>_<n>``.

    Scans are shuffled, put in the order of their digits, and dealt out like cards.
    """
    if name == "print":
        made = range(PRINTED_PER_CLASS)
        files = [f"{FONTS[n % len(FONTS)]}_{n:02}.png" for n in made]
        return tuple(sorted(f"print/{digit}/{file}" for digit in CLASSES for file in files))
    digit = scans()[1]
    deck = np.lexsort((stream(0).random(len(digit)), digit))
    dealt = deck[SCANNED.index(name) :: len(SCANNED)]
    return tuple(sorted(f"{name}/{digit[scan]}/{scan:04}.png" for scan in dealt))


@functools.cache
def pixels(name: str) -> UInt8[np.ndarray, "b 32 32 3"]:
    """Makes the images of one domain, in the order of its listing; read-only."""
    files = [path.removesuffix(".png").split("/") for path in listing(name)]
    rng = stream(1 + Digits.domains.index(name))
    if name == "print":
        fonts = [stem.rsplit("_", 1)[0] for _, _, stem in files]
        images = printed([int(digit) for _, digit, _ in files], fonts, rng)
    else:
        scan = scans()[0][[int(stem) for _, _, stem in files]]
        looks = {
            "scan": lambda: plain(scan),
            "texture": lambda: textured(scan, rng),
            "outline": lambda: outlined(scan, rng),
        }
        images = looks[name]()
    images.setflags(write=False)
    return images


def checksum(name: str) -> str:
    """SHA-256 of a domain's images, to be compared with ``Digits.checksums``."""
    return hashlib.sha256(pixels(name).tobytes()).hexdigest()


def contact_sheet(path: str) -> None:
    """Draws two images per class and row, two rows per domain, into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.2), dpi=150, layout="constrained")
    figure.suptitle("digits: ten classes in four domains", fontsize=14)
    for panel, name in zip(figure.subplots(4, 1), Digits.domains, strict=True):
        label = domain(name).label
        chosen = np.stack([np.flatnonzero(label == k)[4:60:14] for k in range(10)])
        # From (class, row and column, h, w, c) to one picture, a class taking two columns.
        tiles = pixels(name)[chosen].reshape(10, 2, 2, SIZE, SIZE, 3)
        picture = tiles.transpose(1, 3, 0, 2, 4, 5).reshape(2 * SIZE, 20 * SIZE, 3)
        panel.imshow(picture, interpolation="nearest")
        panel.set_ylabel(name, fontsize=13)
        panel.set_yticks([])
        panel.set_xticks([])
        for k in range(1, 10):
            panel.axvline(2 * SIZE * k - 0.5, color="white", linewidth=2)
        panel.spines[:].set_visible(False)
    figure.axes[0].xaxis.tick_top()
    figure.axes[0].set_xticks(2 * SIZE * np.arange(10) + SIZE - 0.5, CLASSES, fontsize=13)
    figure.axes[0].tick_params(length=0)
    figure.savefig(path)


if __name__ == "__main__":
    for each in Digits.domains:
        print(f"{each:8} {Digits.counts[each]} images  sha256 {checksum(each)}")
    for file in sys.argv[1:]:
        contact_sheet(file)
