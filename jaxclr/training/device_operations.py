"""The fourteen distortions on batches, each image by an operation and a magnitude of its own.

Every one of them is a special case of four steps, three of which leave the image as it is: looking
every value up in a table, mixing the image with its gray or its smoothed version, and sampling it
from elsewhere. So a batch takes one pass through the four whatever its operations are, with two
gathers. All is done in whole numbers where Pillow does so, and rounded as Pillow rounds.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped, UInt8

from jaxclr.pipeline.operations import OPERATIONS

PLACE = {operation.name: place for place, operation in enumerate(OPERATIONS)}
TABLES = ("AutoContrast", "Brightness", "Contrast", "Equalize", "Posterize", "Solarize")
"""What maps each value to another, wherever in the image it is."""
BITS = 16
ONE = 1 << BITS
"""One pixel, in the fixed point that Pillow samples in."""


def distorted(
    images: UInt8[Array, "b s s 3"], which: Int[Array, " b"], magnitude: Float[Array, " b"]
) -> UInt8[Array, "b s s 3"]:
    """Applies one operation to each image.

    Args:
        images: Squares of at most 2048 px, that sums may fit into 32 bits.
        which: Places in ``OPERATIONS``.
        magnitude: In the unit and the range of the operation, signed if it has a sign.

    Returns:
        What Pillow makes of each, but for few values: of autocontrast, those that Pillow's
        double-precision arithmetic leaves just below a whole number; and of rotations, pixels
        whose source lies on the border of two within single precision.
    """
    # No two steps change the same image; in other orders, what XLA made of them was slower.
    draws = which, magnitude
    tables = where_drawn(TABLES, tables_of, plain_tables(len(images)), *draws, images)
    mixed = where_drawn(("Color",), colored, looked_up(images, tables), *draws)
    mixed = where_drawn(("Sharpness",), sharpened, mixed, *draws)
    return sampled(mixed, inverse_of(*draws, images.shape[1]))


def where_drawn(
    names: tuple[str, ...], change: Callable[..., Array], otherwise: UInt8[Array, "b ..."],
    which: Int[Array, " b"], magnitude: Float[Array, " b"], *more: Array,
) -> UInt8[Array, "b ..."]:  # fmt: skip
    """Changes a batch only where some of its images draw one of these operations.

    The branch is also a wall: what is fused into its readers is computed anew by each, which the
    nine readers of a smoothed pixel make dear.
    """
    drawn = jnp.isin(which, jnp.array([PLACE[name] for name in names])).any()
    return jax.lax.cond(
        drawn, change, lambda *given: otherwise, *(more or (otherwise,)), which, magnitude
    )


def inverse_of(
    which: Int[Array, " b"], magnitude: Float[Array, " b"], side: int
) -> Int[Array, "b 6"]:
    """Where each image is sampled: ``(a, b, c, d, e, f)`` in 65536ths of a pixel.

    Pixel ``(x, y)`` comes from ``(a x + b y + c, d x + e y + f)``, rounded down.
    """

    def given(name: str, otherwise: float = 0.0) -> Float[Array, " b"]:
        return jnp.where(which == PLACE[name], magnitude, otherwise)

    turn = jnp.deg2rad(given("Rotate"))
    cos, sin, half = jnp.cos(turn), jnp.sin(turn), side / 2
    b, d = given("ShearX") - sin, given("ShearY") + sin
    # A turn is about the centre, and shears start at the corner; centres of pixels lie at halves.
    turned = which == PLACE["Rotate"]
    to_centre = jnp.where(turned, half - 0.5, -0.5)
    c = (to_centre + 0.5) - cos * to_centre - b * to_centre + given("TranslateX") * side
    f = (to_centre + 0.5) - cos * to_centre - d * to_centre + given("TranslateY") * side
    inverse = jnp.stack([cos, b, c, d, cos, f], axis=-1)
    return jnp.floor(inverse * ONE + 0.5).astype(jnp.int32)


def sampled(images: UInt8[Array, "b s s 3"], inverse: Int[Array, "b 6"]) -> UInt8[Array, "b s s 3"]:
    """Samples each image as :func:`inverse_of` says; black where the source lies outside."""
    count, side, _, _ = images.shape
    a, b, c, d, e, f = (part[:, None, None] for part in inverse.T)
    x, y = jnp.arange(side), jnp.arange(side)[:, None]
    column, row = (a * x + b * y + c) >> BITS, (d * x + e * y + f) >> BITS
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    source = jnp.where(inside, row * side + column, 0).reshape(count, -1, 1)
    flat = images.reshape(count, -1, 3)
    found = jnp.take_along_axis(flat, source, axis=1, mode="promise_in_bounds")
    return jnp.where(inside[..., None], found.reshape(images.shape), 0).astype(jnp.uint8)


def colored(
    images: UInt8[Array, "b s s 3"], which: Int[Array, " b"], magnitude: Float[Array, " b"]
) -> UInt8[Array, "b s s 3"]:
    """Where Color is drawn, keeps a share of the image, the rest being its gray version."""
    share = jnp.where(which == PLACE["Color"], magnitude, 1.0)[:, None, None, None]
    return _blended(gray(images)[..., None], images, share)


def sharpened(
    images: UInt8[Array, "b s s 3"], which: Int[Array, " b"], magnitude: Float[Array, " b"]
) -> UInt8[Array, "b s s 3"]:
    """Where Sharpness is drawn, keeps a share of the image, the rest being smoothed.

    The smoothed version has five parts of each pixel and one of each neighbour. The outermost
    pixels stay.
    """
    count, side, _, _ = images.shape
    # Side by side, the channels make lines long enough for the processor's vectors.
    lines = images.reshape(count, side, 3 * side)
    values = lines.astype(jnp.uint16)
    rows = values[:, :-2] + values[:, 1:-1] + values[:, 2:]
    total = rows[:, :, :-6] + rows[:, :, 3:-3] + rows[:, :, 6:] + 4 * values[:, 1:-1, 3:-3]
    share = jnp.where(which == PLACE["Sharpness"], magnitude, 1.0)[:, None, None]
    inner = _blended((2 * total + 13) // 26, lines[:, 1:-1, 3:-3], share)
    return lines.at[:, 1:-1, 3:-3].set(inner).reshape(images.shape)


def looked_up(
    images: UInt8[Array, "b s s 3"], tables: UInt8[Array, "b 3 256"]
) -> UInt8[Array, "b s s 3"]:
    """Puts every value in the place of its image's and channel's table."""
    count = len(images)
    place = images.astype(jnp.int32) + 256 * jnp.arange(3)
    found = jnp.take_along_axis(
        tables.reshape(count, -1), place.reshape(count, -1), axis=1, mode="promise_in_bounds"
    )
    return found.reshape(images.shape)


def tables_of(
    images: UInt8[Array, "b s s 3"], which: Int[Array, " b"], magnitude: Float[Array, " b"]
) -> UInt8[Array, "b 3 256"]:
    """What each operation makes of every value; the value itself where it is no table."""
    level, counts = jnp.arange(256), histograms(images)
    which, magnitude = which[:, None, None], magnitude[:, None, None]
    mean = mean_gray(images)[:, None, None]
    step = 1 << (8 - jnp.clip(magnitude.astype(jnp.int32), 1, 8))
    tables = {
        "AutoContrast": stretched(counts),
        "Brightness": (magnitude * level).astype(jnp.int32),
        "Contrast": (mean + magnitude * (level - mean)).astype(jnp.int32),
        "Equalize": equalized(counts),
        "Posterize": level // step * step,
        "Solarize": jnp.where(level < magnitude, level, 255 - level),
    }
    chosen = jnp.broadcast_to(level, counts.shape)
    for name in TABLES:
        chosen = jnp.where(which == PLACE[name], tables[name], chosen)
    return chosen.astype(jnp.uint8)


def plain_tables(count: int) -> UInt8[Array, "b 3 256"]:
    """The tables that leave every value as it is."""
    return jnp.broadcast_to(jnp.arange(256, dtype=jnp.uint8), (count, 3, 256))


def histograms(images: UInt8[Array, "b s s 3"]) -> Int[Array, "b 3 256"]:
    """How often each value is in each channel."""
    count, side, _, _ = images.shape
    # Counted stripe by stripe: the places of all pixels at once would not fit into a cache.
    stripes = math.gcd(side, 8)
    height = side // stripes
    offset = jnp.tile(256 * jnp.arange(3), height * side)
    lines = images.reshape(count, side, 3 * side)

    def count_in(stripe: Int[Array, ""], counts: Int[Array, "b n"]) -> Int[Array, "b n"]:
        part = jax.lax.dynamic_slice_in_dim(lines, stripe * height, height, axis=1)
        place = part.reshape(count, -1).astype(jnp.int32) + offset
        add = jax.vmap(lambda found, at: found.at[at].add(1, mode="promise_in_bounds"))
        return add(counts, place)

    blank = jnp.zeros((count, 3 * 256), jnp.int32)
    return jax.lax.fori_loop(0, stripes, count_in, blank).reshape(count, 3, 256)


def stretched(counts: Int[Array, "b 3 256"]) -> Int[Array, "b 3 256"]:
    """Autocontrast's tables: from the darkest value at 0 to the lightest at 255."""
    level = jnp.arange(256)
    low = jnp.argmax(counts > 0, axis=-1, keepdims=True)
    high = lightest(counts)
    between = (level - low) * 255 // jnp.maximum(high - low, 1)
    return jnp.where(high > low, jnp.clip(between, 0, 255), level)


def equalized(counts: Int[Array, "b 3 256"]) -> Int[Array, "b 3 256"]:
    """Equalize's tables: each value by how many pixels are darker."""
    last = jnp.take_along_axis(counts, lightest(counts), axis=-1)
    step = (counts.sum(-1, keepdims=True) - last) // 255
    before = step // 2 + jnp.cumsum(counts, axis=-1) - counts
    flat = jnp.clip(before // jnp.maximum(step, 1), 0, 255)
    return jnp.where(step > 0, flat, jnp.arange(256))


def lightest(counts: Int[Array, "b 3 256"]) -> Int[Array, "b 3 1"]:
    """The highest value that is there."""
    return 255 - jnp.argmax(counts[..., ::-1] > 0, axis=-1, keepdims=True)


def gray(images: UInt8[Array, "b h w 3"]) -> Int[Array, "b h w"]:
    """Luma of ITU-R 601, in Pillow's fixed point."""
    red, green, blue = (images[..., channel].astype(jnp.int32) for channel in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + ONE // 2) >> BITS


def mean_gray(images: UInt8[Array, "b h w 3"]) -> Int[Array, " b"]:
    """The mean of :func:`gray`, rounded, halves upwards."""
    _, height, width, _ = images.shape
    pixels = height * width
    return (2 * gray(images).sum((1, 2)) + pixels) // (2 * pixels)


def _blended(
    other: Shaped[Array, "b ..."], images: UInt8[Array, "b ..."], share: Float[Array, "b ..."]
) -> UInt8[Array, "b ..."]:
    """Keeps a share of the images, the rest being ``other``, in single precision as Pillow."""
    other = other.astype(jnp.float32)
    return (other + share * (images.astype(jnp.float32) - other)).astype(jnp.uint8)
