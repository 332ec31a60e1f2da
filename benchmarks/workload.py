"""What both sides work on: the same images, labels and first weights, made by NumPy alone."""

from typing import NamedTuple

import numpy as np

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
THRESHOLD, TEMPERATURE, REPULSION = 0.95, 0.2, 0.3
BACKBONE_RATE, HEAD_RATE, MOMENTUM, DECAY = 0.003, 0.01, 0.9, 5e-4
SHARPER = 10.0
"""How many times as large as usual the classifier's first weights are: some guesses are trusted."""


class Case(NamedTuple):
    """A network, its images, and the batch of the protocol."""

    network: str
    """``convnet``, or ``resnet`` with the stem after a dash."""
    size: int
    """Side of the images, px."""
    classes: int = 10
    domains: int = 3
    per_domain: int = 16
    """Labeled images of a domain, and as many unlabeled ones."""

    @property
    def title(self) -> str:
        """How tables call it."""
        name = "ConvNet-4" if self.network == "convnet" else "ResNet-18"
        return f"{name}, {self.size} px"


CASES = {
    "convnet-32": Case("convnet", 32),
    "resnet-32": Case("resnet-small", 32),
    "resnet-96": Case("resnet-imagenet", 96, classes=7),
    "resnet-224": Case("resnet-imagenet", 224, classes=7),
}


class Images(NamedTuple):
    """A batch as bytes; row by row, one image of each domain in a row."""

    labeled: np.ndarray
    """Weak views, (rows * domains, size, size, 3)."""
    unlabeled: np.ndarray
    strong_labeled: np.ndarray
    strong_unlabeled: np.ndarray
    label: np.ndarray
    """Of the labeled images."""


def images(case: Case) -> Images:
    """Noise, brighter by the class, so that guesses differ in how sure they are."""
    rng, count = np.random.default_rng(0), case.per_domain * case.domains
    label = rng.integers(0, case.classes, count)

    def views() -> np.ndarray:
        noise = rng.integers(0, 200, (count, case.size, case.size, 3))
        return (noise + 5 * label[:, None, None, None]).astype(np.uint8)

    return Images(views(), views(), views(), views(), label.astype(np.int32))


def normalised(pixels: np.ndarray) -> np.ndarray:
    """Bytes to float32 numbers around zero."""
    return ((pixels.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)).astype("f4")


def joined(labeled: np.ndarray, unlabeled: np.ndarray, domains: int) -> np.ndarray:
    """Labeled and unlabeled images row by row, domains fastest."""
    rows = len(labeled) // domains
    parts = [x.reshape(rows, domains, *x.shape[1:]) for x in (labeled, unlabeled)]
    return np.concatenate(parts, 1).reshape(-1, *labeled.shape[1:])
