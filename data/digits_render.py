"""The four looks of the digits, as pixels that are the same on every machine.

Draws come from Philox's uniform numbers alone, and the arithmetic on them is elementwise and
correctly rounded by IEEE 754: waves are polynomials, rotations are rational, and what is summed
is either integer or a multiple of a power of two.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxclr.data.digits_glyphs import coverage, font_digits

SIZE = 32
"""Height and width of every image, in pixels."""

LUMA = np.array([77, 150, 29]) / 256
"""Share of red, green and blue in brightness (ITU-R BT.601, in 256ths)."""


def uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> np.ndarray:
    """Numbers in [low, high), of any shape, from the one stream that never changed."""
    return low + (high - low) * rng.random(shape)


def quantized(image: Float[np.ndarray, "b h w c"]) -> UInt8[np.ndarray, "b h w 3"]:
    """Levels 0..255 of RGB, or of grey (one channel); what leaves [0, 1] is clipped."""
    levels = np.rint(255 * np.clip(np.round(image, 6), 0, 1)).astype(np.uint8)
    return np.broadcast_to(levels, (*levels.shape[:3], 3)).copy()


def resampling(given: int, wanted: int, scale: float) -> Int[np.ndarray, "wanted given"]:
    """Cubic interpolation (Catmull-Rom) from the middle, in 256ths; beyond the edge is zero."""
    place = (np.arange(wanted) + 0.5 - wanted / 2) / scale + given / 2 - 0.5
    x = np.abs(place[:, None] - np.arange(given))
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((2.5 - 0.5 * x) * x - 4) * x + 2
    weight = np.where(x < 1, near, np.where(x < 2, far, 0))
    return np.rint(256 * weight).astype(np.int64)


def enlarged(scan: UInt8[np.ndarray, "b 8 8"], scale: float) -> Float[np.ndarray, "b 32 32"]:
    """Strength of the pen: 0 on paper, 1 at full ink, slightly beyond at sharp turns.

    Args:
        scan: Counts of inked pixels, 0..16.
        scale: Pixels of the result per pixel of the scan; the digit sits in the middle.
    """
    weight = resampling(8, SIZE, scale)
    return (weight @ scan.astype(np.int64) @ weight.T) / (16 * 256 * 256)


def plain(scan: UInt8[np.ndarray, "b 8 8"]) -> UInt8[np.ndarray, "b 32 32 3"]:
    """Scans as they are, enlarged: white pen on black."""
    return quantized(enlarged(scan, 3.25)[..., None])


def wave(turns: np.ndarray) -> np.ndarray:
    """A smooth wave in [0, 1] of period one; a cubic stands in for the cosine."""
    rise = np.abs(2 * (turns - np.floor(turns)) - 1)
    return rise * rise * (3 - 2 * rise)


def patterns(rng: np.random.Generator, count: int) -> Float[np.ndarray, "b 32 32"]:
    """Procedural textures in [0, 1]: a third each of stripes, chequers, and clouds."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    bend = np.rint(256 * uniform(rng, 0.0, 1.0, count, 8, 8)).astype(np.int64)
    weight = resampling(8, SIZE, 4.5)
    cloud = (weight @ bend @ weight.T) / 2**24
    draw = uniform(rng, -1.0, 1.0, count, 6)[..., None, None]
    first = wave(7 * (draw[:, 0] * x + draw[:, 1] * y) + draw[:, 2] + 0.5 * cloud)
    second = wave(7 * (draw[:, 1] * x - draw[:, 0] * y) + draw[:, 3] + 0.5 * cloud)
    kind = np.arange(count)[:, None, None] % 3
    marbled = wave(0.9 * cloud + draw[:, 4])
    return np.select([kind == 0, kind == 1], [first, first * second], marbled)


def textured(
    scan: UInt8[np.ndarray, "b 8 8"], rng: np.random.Generator
) -> UInt8[np.ndarray, "b 32 32 3"]:
    """Scans over coloured textures, the digit itself textured; half are dark on light."""
    count = len(scan)
    pen = np.clip(1.6 * enlarged(scan, 3.25) - 0.3, 0, 1)[..., None]

    def painted(low: float, high: float) -> Float[np.ndarray, "b 32 32 3"]:
        one = uniform(rng, low, high, count, 1, 1, 3)
        other = uniform(rng, low, high, count, 1, 1, 3)
        return one + (other - one) * patterns(rng, count)[..., None]

    ground, ink = painted(0.0, 0.65), painted(0.45, 1.0)
    image = ground + (ink - ground) * pen + uniform(rng, -0.06, 0.06, count, SIZE, SIZE, 3)
    dark = rng.random((count, 1, 1, 1)) < 0.5
    return quantized(np.where(dark, 1 - image, image))


def outlined(
    scan: UInt8[np.ndarray, "b 8 8"], rng: np.random.Generator
) -> UInt8[np.ndarray, "b 32 32 3"]:
    """The contours of scans as thin coloured lines on pale paper."""
    count = len(scan)
    field = np.pad(enlarged(scan, 3.25), ((0, 0), (1, 1), (1, 1)))
    across = (field[:, 1:-1, 2:] - field[:, 1:-1, :-2]) / 2
    down = (field[:, 2:, 1:-1] - field[:, :-2, 1:-1]) / 2
    slope = np.sqrt(across * across + down * down)
    # To first order, the distance in pixels to where half of the ink is reached.
    distance = np.abs(field[:, 1:-1, 1:-1] - 0.5) / np.maximum(slope, 0.04)
    half = uniform(rng, 0.7, 1.3, count, 1, 1)
    line = np.clip(half + 0.5 - distance, 0, 1)[..., None]
    paper = uniform(rng, 0.72, 1.0, count, 1, 1, 3)
    ink = uniform(rng, 0.0, 0.5, count, 1, 1, 3)
    return quantized(paper + (ink - paper) * line)


def printed(
    digits: Sequence[int], fonts: Sequence[str], rng: np.random.Generator
) -> UInt8[np.ndarray, "b 32 32 3"]:
    """One digit per font named, warped, in dark grey on light grey paper with grain."""
    count = len(digits)
    # Rotation by the tangent of half its angle; up to a sixth of a radian.
    tangent, shear = uniform(rng, -0.08, 0.08, count), uniform(rng, -0.15, 0.15, count)
    shrink = 1 + tangent * tangent
    cosine, sine = (2 - shrink) / shrink, 2 * tangent / shrink
    height, stretch = uniform(rng, 22.0, 26.0, count), uniform(rng, 0.9, 1.2, count)
    shift = uniform(rng, -1.5, 1.5, count, 2) + SIZE / 2
    pen = np.empty((count, SIZE, SIZE, 1))
    for i, (digit, font) in enumerate(zip(digits, fonts, strict=True)):
        x, y = np.moveaxis(height[i] * font_digits(font)[digit], -1, 0)
        x = (x + shear[i] * y) * stretch[i]
        turned = np.stack([cosine[i] * x - sine[i] * y, sine[i] * x + cosine[i] * y], axis=-1)
        pen[i, ..., 0] = coverage(turned + shift[i], SIZE)
    paper = uniform(rng, 0.65, 1.0, count, 1, 1, 1)
    ink = paper - uniform(rng, 0.5, 0.65, count, 1, 1, 1)
    grain = uniform(rng, -0.05, 0.05, count, SIZE, SIZE, 1)
    return quantized(paper + (ink - paper) * pen + grain)
