"""The fourteen distortions that the strong view draws from, on Pillow images."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps


class Operation(NamedTuple):
    """One way to distort an image, and how far it may go.

    Attributes:
        name: As the paper spells it.
        low: The smallest magnitude, in the unit that ``apply`` takes.
        high: The largest magnitude, in the same unit.
        signed: Whether the magnitude is negated half of the time.
        apply: Maps an RGB image and a magnitude to an image of the same size; may return the
            image it was given, never changes it.
    """

    name: str
    low: float
    high: float
    signed: bool
    apply: Callable[[Image.Image, float], Image.Image]

    def draw(self, rng: np.random.Generator) -> float:
        """Draws a magnitude, uniform between ``low`` and ``high``, and its sign if it has one.

        Two numbers are taken from ``rng`` whichever the operation is.
        """
        position, side = rng.random(2).tolist()
        magnitude = self.low + (self.high - self.low) * position
        return -magnitude if self.signed and side < 0.5 else magnitude


def auto_contrast(image: Image.Image, _: float) -> Image.Image:
    """Stretches each channel until its darkest value is 0 and its lightest 255."""
    return ImageOps.autocontrast(image)


def brightness(image: Image.Image, share: float) -> Image.Image:
    """Keeps ``share`` (0 to 1) of the image, the rest being black."""
    return ImageEnhance.Brightness(image).enhance(share)


def color(image: Image.Image, share: float) -> Image.Image:
    """Keeps ``share`` (0 to 1) of the image, the rest being its own gray version."""
    return ImageEnhance.Color(image).enhance(share)


def contrast(image: Image.Image, share: float) -> Image.Image:
    """Keeps ``share`` (0 to 1) of the image, the rest being its mean gray."""
    return ImageEnhance.Contrast(image).enhance(share)


def equalize(image: Image.Image, _: float) -> Image.Image:
    """Flattens the histogram of each channel."""
    return ImageOps.equalize(image)


def identity(image: Image.Image, _: float) -> Image.Image:
    """Leaves the image as it is."""
    return image


def posterize(image: Image.Image, bits: float) -> Image.Image:
    """Keeps the highest ``bits`` of every value, from 1 to 8, rounded down to a whole number."""
    return ImageOps.posterize(image, int(bits))


def rotate(image: Image.Image, degrees: float) -> Image.Image:
    """Turns the image counterclockwise about its centre; what comes in is black."""
    return image.rotate(degrees)


def sharpness(image: Image.Image, share: float) -> Image.Image:
    """Keeps ``share`` (0 to 1) of the image, the rest being a smoothed version of it."""
    return ImageEnhance.Sharpness(image).enhance(share)


def shear_x(image: Image.Image, slope: float) -> Image.Image:
    """Moves each row to the left by ``slope`` times its height from the top; fills with black."""
    return _affine(image, (1.0, slope, 0.0, 0.0, 1.0, 0.0))


def shear_y(image: Image.Image, slope: float) -> Image.Image:
    """Moves each column up by ``slope`` times its distance from the left; fills with black."""
    return _affine(image, (1.0, 0.0, 0.0, slope, 1.0, 0.0))


def solarize(image: Image.Image, threshold: float) -> Image.Image:
    """Inverts the values at or above ``threshold``: 0 inverts them all, 256 none."""
    # Pillow is annotated to take whole thresholds; rounding one up moves no value across it.
    return ImageOps.solarize(image, math.ceil(threshold))


def translate_x(image: Image.Image, share: float) -> Image.Image:
    """Moves the image to the left by ``share`` of its width; fills with black."""
    return _affine(image, (1.0, 0.0, share * image.width, 0.0, 1.0, 0.0))


def translate_y(image: Image.Image, share: float) -> Image.Image:
    """Moves the image up by ``share`` of its height; fills with black."""
    return _affine(image, (1.0, 0.0, 0.0, 0.0, 1.0, share * image.height))


def _affine(
    image: Image.Image, inverse: tuple[float, float, float, float, float, float]
) -> Image.Image:
    """Samples each pixel ``(x, y)`` from ``(a x + b y + c, d x + e y + f)``, nearest neighbour."""
    return image.transform(image.size, Image.Transform.AFFINE, inverse)


# A magnitude and its sign are drawn apart, so the ranges of what goes both ways start at zero:
# uniform on [-30, 30] is uniform on [0, 30] with a fair sign.
OPERATIONS = (
    Operation("AutoContrast", 0.0, 1.0, False, auto_contrast),
    Operation("Brightness", 0.05, 0.95, False, brightness),
    Operation("Color", 0.05, 0.95, False, color),
    Operation("Contrast", 0.05, 0.95, False, contrast),
    Operation("Equalize", 0.0, 1.0, False, equalize),
    Operation("Identity", 0.0, 1.0, False, identity),
    Operation("Posterize", 4.0, 8.0, False, posterize),
    Operation("Rotate", 0.0, 30.0, True, rotate),
    Operation("Sharpness", 0.05, 0.95, False, sharpness),
    Operation("ShearX", 0.0, 0.3, True, shear_x),
    Operation("ShearY", 0.0, 0.3, True, shear_y),
    Operation("Solarize", 0.0, 256.0, False, solarize),
    Operation("TranslateX", 0.0, 0.3, True, translate_x),
    Operation("TranslateY", 0.0, 0.3, True, translate_y),
)


def distort(image: Image.Image, count: int, rng: np.random.Generator) -> Image.Image:
    """Applies ``count`` operations in turn, each drawn anew and uniformly from the fourteen.

    Args:
        image: Any RGB image; it is not changed.
        count: How many to draw, with replacement; zero returns ``image`` itself.
        rng: Gives the choice and the magnitude of each operation.

    Returns:
        An image of the same size.

    References:
        Cubuk et al., `RandAugment <https://arxiv.org/abs/1909.13719>`_, 2019, in the form of
        Sohn et al., `FixMatch <https://arxiv.org/abs/2001.07685>`_, 2020, whose appendix lists
        them.
    """
    for operation, magnitude in drawn(count, rng):
        image = operation.apply(image, magnitude)
    return image


def drawn(count: int, rng: np.random.Generator) -> Iterator[tuple[Operation, float]]:
    """Draws operations uniformly from the fourteen, with replacement, and their magnitudes.

    Args:
        count: How many.
        rng: Gives the choice and then the magnitude of each, in turn.
    """
    for _ in range(count):
        operation = OPERATIONS[rng.integers(len(OPERATIONS))]
        yield operation, operation.draw(rng)
