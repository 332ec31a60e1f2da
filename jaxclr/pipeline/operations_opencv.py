"""The fourteen distortions on arrays, by OpenCV: those of ``operations``, several times as fast.

What is a table of 256 values in Pillow is the same table here, so nothing differs; of the others,
OpenCV rounds some pixels the other way.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from jaxclr.pipeline.operations import drawn

# Threads make whole batches: more of them inside of one image would stand in each other's way.
cv2.setNumThreads(0)

Picture = UInt8[np.ndarray, "h w 3"]
LEVELS = np.arange(256)
# Pillow cuts fractions off where OpenCV rounds. A little less than a half, since what is whole may
# come out a little below it.
CUT = 0.5 - 2**-10
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def auto_contrast(image: Picture, _: float) -> Picture:
    """Stretches each channel until its darkest value is 0 and its lightest 255."""
    tables = []
    for channel in cv2.split(image):
        low, high = cv2.minMaxLoc(channel)[:2]
        scale = 255.0 / (high - low) if high > low else 1.0
        offset = -low * scale if high > low else 0.0
        tables.append((LEVELS * scale + offset).astype(int).clip(0, 255))
    return _by_tables(image, tables)


def brightness(image: Picture, share: float) -> Picture:
    """Keeps ``share`` (0 to 1) of the image, the rest being black."""
    return _toward(image, 0, share)


def color(image: Picture, share: float) -> Picture:
    """Keeps ``share`` (0 to 1) of the image, the rest being its own gray version."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _blended(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), image, share)


def contrast(image: Picture, share: float) -> Picture:
    """Keeps ``share`` (0 to 1) of the image, the rest being its mean gray."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _toward(image, int(cv2.mean(gray)[0] + 0.5), share)


def equalize(image: Picture, _: float) -> Picture:
    """Flattens the histogram of each channel."""
    tables = []
    for channel in range(3):
        counts = cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel().astype(int)
        step = (counts.sum() - counts[counts.nonzero()[0][-1]]) // 255
        before = step // 2 + counts.cumsum() - counts
        tables.append((before // step).clip(0, 255) if step else LEVELS)
    return _by_tables(image, tables)


def identity(image: Picture, _: float) -> Picture:
    """Leaves the image as it is."""
    return image


def posterize(image: Picture, bits: float) -> Picture:
    """Keeps the highest ``bits`` of every value, from 1 to 8, rounded down to a whole number."""
    return image & np.uint8(256 - 2 ** (8 - int(bits)))


def rotate(image: Picture, degrees: float) -> Picture:
    """Turns the image counterclockwise about its centre; what comes in is black."""
    if not degrees:
        return image
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    y, x = (side / 2 for side in image.shape[:2])
    return _affine(image, (cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y))


def sharpness(image: Picture, share: float) -> Picture:
    """Keeps ``share`` (0 to 1) of the image, the rest being a smoothed version of it."""
    smooth = cv2.filter2D(image, -1, SMOOTH)
    for border in ((0,), (-1,), (slice(None), 0), (slice(None), -1)):
        smooth[border] = image[border]
    return _blended(smooth, image, share)


def shear_x(image: Picture, slope: float) -> Picture:
    """Moves each row to the left by ``slope`` times its height from the top; fills with black."""
    return _affine(image, (1.0, slope, 0.0, 0.0, 1.0, 0.0))


def shear_y(image: Picture, slope: float) -> Picture:
    """Moves each column up by ``slope`` times its distance from the left; fills with black."""
    return _affine(image, (1.0, 0.0, 0.0, slope, 1.0, 0.0))


def solarize(image: Picture, threshold: float) -> Picture:
    """Inverts the values at or above ``threshold``: 0 inverts them all, 256 none."""
    kept = LEVELS.astype(float) < threshold
    return _by_table(image, np.where(kept, LEVELS, 255 - LEVELS))


def translate_x(image: Picture, share: float) -> Picture:
    """Moves the image to the left by ``share`` of its width; fills with black."""
    return _affine(image, (1.0, 0.0, share * image.shape[1], 0.0, 1.0, 0.0))


def translate_y(image: Picture, share: float) -> Picture:
    """Moves the image up by ``share`` of its height; fills with black."""
    return _affine(image, (1.0, 0.0, 0.0, 0.0, 1.0, share * image.shape[0]))


APPLY: dict[str, Callable[[Picture, float], Picture]] = {
    "AutoContrast": auto_contrast, "Brightness": brightness, "Color": color, "Contrast": contrast,
    "Equalize": equalize, "Identity": identity, "Posterize": posterize, "Rotate": rotate,
    "Sharpness": sharpness, "ShearX": shear_x, "ShearY": shear_y, "Solarize": solarize,
    "TranslateX": translate_x, "TranslateY": translate_y,
}  # fmt: skip


def distort(image: Picture, count: int, rng: np.random.Generator) -> Picture:
    """Applies ``count`` operations in turn, drawn as Pillow's are.

    Args:
        image: Any RGB image; it is not changed.
        count: How many to draw, with replacement; zero returns ``image`` itself.
        rng: Gives the choice and the magnitude of each operation.

    Returns:
        An image of the same size, perhaps the one given.
    """
    for operation, magnitude in drawn(count, rng):
        image = APPLY[operation.name](image, magnitude)
    return image


def resized(image: Picture, width: int, height: int) -> UInt8[np.ndarray, "s t 3"]:
    """Resizes an image; bilinear if it grows, and by the mean of the area covered if it shrinks.

    Pillow weights a wider area when it shrinks one, by a triangle; of OpenCV's ways this comes
    nearest.

    Args:
        image: Any RGB image; it is not changed.
        width: In pixels, at least 1.
        height: In pixels, at least 1.

    Returns:
        The image given where it has that size already.
    """
    tall, wide, _ = image.shape
    if (wide, tall) == (width, height):
        return image
    shrinks = width < wide or height < tall
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how))


def mirrored(image: Picture) -> Picture:
    """Mirrors an image left to right."""
    return np.asarray(cv2.flip(image, 1))


def _toward(image: Picture, level: int, share: float) -> Picture:
    """Blends every value with one level, in single precision as Pillow does."""
    levels = LEVELS.astype(np.float32)
    return _by_table(image, level + np.float32(share) * (levels - level))


def _blended(other: Picture, image: Picture, share: float) -> Picture:
    return np.asarray(cv2.addWeighted(other, 1 - share, image, share, -CUT))


def _by_table(image: Picture, table: np.ndarray) -> Picture:
    return np.asarray(cv2.LUT(image, table.astype(np.uint8)))


def _by_tables(image: Picture, tables: list[np.ndarray]) -> Picture:
    """Gives each channel its own table."""
    return _by_table(image, np.stack(tables, axis=-1)[None])


def _affine(image: Picture, inverse: tuple[float, float, float, float, float, float]) -> Picture:
    """Samples each pixel ``(x, y)`` from ``(a x + b y + c, d x + e y + f)``, nearest neighbour.

    Pillow's pixels have their centres at halves, and OpenCV's at whole numbers.
    """
    a, b, c, d, e, f = inverse
    moved = np.array([[a, b, c + (a + b - 1) / 2], [d, e, f + (d + e - 1) / 2]])
    return np.asarray(
        cv2.warpAffine(
            image, moved, (image.shape[1], image.shape[0]),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT,
        )
    )  # fmt: skip
