"""Views of small images as semi-supervised learning makes them: CIFAR, SVHN, STL-10."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxclr.errors import InputError
from jaxclr.pipeline.augment import Augment, with_hole


def _levels(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """A colour in levels of 0 to 255, where black is 0 and white 1."""
    return red / 255, green / 255, blue / 255


CIFAR10_MEAN, CIFAR10_STD = _levels(125.3, 123.0, 113.9), _levels(63.0, 62.1, 66.7)


@dataclasses.dataclass(frozen=True)
class SmallImages(Augment):
    """Weak views are shifted and mirrored; strong ones also distorted, with a gray hole in them.

    The border of a shifted image is filled by reflection. The strong view is a weak view, drawn
    anew, after RandAugment and cutout. The defaults are those of CIFAR-10.

    Raises:
        InputError: A size, probability, count, colour or deviation is out of its range.

    References:
        Sohn et al., `FixMatch <https://arxiv.org/abs/2001.07685>`_, 2020, in the form of
        Zhang et al., `FlexMatch <https://arxiv.org/abs/2110.08263>`_, 2021, whose TorchSSL has
        three operations, and a hole of random size in the mean colour of CIFAR-10.
    """

    size: int = 32
    """Side of every view, in pixels, at least 8."""

    translate: float = 1.0
    """Probability that a training view is shifted."""

    operations: int = 3
    """How many RandAugment operations the strong view goes through; 0 for none."""

    cutout: int = 16
    """Largest side of the hole in the strong view, in pixels; the side is uniform from 0 to it."""

    mean: tuple[float, float, float] = CIFAR10_MEAN
    """Mean of red, green and blue where black is 0 and white 1; taken off on the device."""

    std: tuple[float, float, float] = CIFAR10_STD
    """Deviation of red, green and blue on the same scale, above 0; divided by on the device."""

    shift: int = 4
    """How far a view is shifted at most, up or down and left or right, in pixels below ``size``."""

    fill: tuple[int, int, int] = (125, 123, 114)
    """Red, green and blue of the hole, 0 to 255."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.shift < self.size:
            raise InputError(f"shift is {self.shift}: give 0 for none, or at most {self.size - 1}.")
        if not all(0 <= value <= 255 for value in self.fill):
            raise InputError(f"fill is {self.fill}: give three numbers from 0 to 255.")

    def weak(
        self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "s s 3"]:
        """Shows the image shifted, what comes in being its reflection, and perhaps mirrored.

        Args:
            image: The picture as it was read, of any shape; its proportions are not kept.
            rng: Moves on by the same draws whatever they turn out to be.

        Returns:
            A new, writable array.
        """
        return np.array(self._shifted(image, rng))

    def strong(
        self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "s s 3"]:
        """Shows a weak view distorted, then with a hole in it.

        The centre of the hole is uniform over the pixels; what lies past the border is lost.

        Args:
            image: The picture as it was read, of any shape; its proportions are not kept.
            rng: Gives the weak view, the operations, their magnitudes, and the hole, in order.

        Returns:
            A new, writable array.
        """
        view = self._engine.distorted(self._shifted(image, rng), self.operations, rng)
        return with_hole(view, int(rng.integers(self.cutout + 1)), self.fill, rng)

    def _shifted(self, image: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> Any:
        view = self._square(image)
        moved = rng.random() < self.translate
        left, top = rng.integers(2 * self.shift + 1, size=2).tolist()
        if moved:
            border = (self.shift, self.shift)
            padded = np.pad(np.asarray(view), (border, border, (0, 0)), mode="reflect")
            view = self._engine.opened(padded[top : top + self.size, left : left + self.size])
        return self._mirrored(view, rng)


def cifar10() -> SmallImages:
    """Views of CIFAR-10."""
    return SmallImages()


def cifar100() -> SmallImages:
    """Views of CIFAR-100: those of CIFAR-10, other statistics."""
    return SmallImages(mean=_levels(129.3, 124.1, 112.4), std=_levels(68.2, 65.4, 70.4))


def svhn() -> SmallImages:
    """Views of SVHN, whose digits are not mirrored."""
    return SmallImages(flip=0.0, mean=(0.4380, 0.4440, 0.4730), std=(0.1751, 0.1771, 0.1744))


def stl10() -> SmallImages:
    """Views of STL-10: 96 px, and lengths three times those of CIFAR-10."""
    return SmallImages(
        size=96, cutout=48, shift=12,
        mean=_levels(112.4, 109.1, 98.6), std=_levels(68.4, 66.6, 68.5),
    )  # fmt: skip
