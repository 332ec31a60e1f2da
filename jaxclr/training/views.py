"""The protocol's views, made on the device from plain squares.

They are drawn from the distributions that the host draws from, but by JAX's generator: each
image's draws follow from the run's seed, the step and the image's place in the batch. So a run
resumes bit for bit, and the number of devices changes nothing.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray, UInt8

from jaxclr.pipeline.augment import ENLARGEMENT, Augment
from jaxclr.pipeline.operations import OPERATIONS
from jaxclr.training.device_operations import distorted
from jaxclr.training.rows import join, part
from jaxclr.types import Batch, Tensor

WEAK, STRONG, SECOND = 0, 1, 2
UNIT_BITS = 22
UNIT = 1 << UNIT_BITS
"""One, in the fixed point of the weights that Pillow resizes by."""


def device_views(
    augment: Augment, batch: Batch, key: PRNGKeyArray, num_domains: int, *, second: bool
) -> Batch:
    """Makes the views of a batch whose weak views are plain squares yet.

    Args:
        augment: How views are made.
        batch: As ``Batches`` gives it where ``augment.where`` is "device".
        key: Of the run and the step.
        num_domains: How many examples are in a row.
        second: Whether a second strong view is made.
    """
    squares = join(batch.labeled.weak, batch.unlabeled.weak, num_domains)

    def keys(purpose: int) -> Key[Array, " b"]:
        return of_places(jax.random.fold_in(key, purpose), len(squares))

    made = {
        "weak": weak(augment, squares, keys(WEAK)),
        "strong": strong(augment, squares, keys(STRONG)),
        "second": strong(augment, squares, keys(SECOND)) if second else None,
    }
    labeled, unlabeled = batch
    for field, views in made.items():
        if views is not None:
            ours, others = part(views, len(labeled.label), num_domains)
            labeled = labeled._replace(**{field: ours})
            unlabeled = unlabeled._replace(**{field: others})
    return Batch(labeled, unlabeled)


def of_places(key: PRNGKeyArray, count: int) -> Key[Array, " b"]:
    """A key for every place in a batch."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))


def weak(
    augment: Augment, squares: UInt8[Tensor, "b s s 3"], keys: Key[Array, " b"]
) -> UInt8[Array, "b s s 3"]:
    """Shows each image whole or slightly enlarged and shifted, and perhaps mirrored.

    Args:
        augment: How.
        squares: The images.
        keys: One for each.
    """
    return windows(squares, shift_of(augment, keys))


class Shift(NamedTuple):
    """What is drawn of weak views."""

    moves: Bool[Array, " b"]
    """Whether the view is a window of the enlarged image, not the image."""
    left: Int[Array, " b"]
    """Where in the enlarged image the window begins."""
    top: Int[Array, " b"]
    flips: Bool[Array, " b"]


def shift_of(augment: Augment, keys: Key[Array, " b"]) -> Shift:
    """Draws what weak views are made by."""
    moves, left, top, flips = uniform(keys, 4).T
    places = round(augment.size * ENLARGEMENT) - augment.size + 1
    return Shift(
        moves < augment.translate, whole(left, places), whole(top, places), flips < augment.flip
    )


class Plan(NamedTuple):
    """What is drawn of strong views."""

    flips: Bool[Array, " b"]
    which: Int[Array, "b n"]
    """Places in ``OPERATIONS``, in the order in which they are applied."""
    magnitude: Float[Array, "b n"]
    row: Int[Array, " b"]
    """Of the centre of the hole."""
    column: Int[Array, " b"]


def strong(
    augment: Augment, squares: UInt8[Tensor, "b s s 3"], keys: Key[Array, " b"]
) -> UInt8[Array, "b s s 3"]:
    """Shows each image perhaps mirrored, then distorted, then with a black hole in it.

    Args:
        augment: How.
        squares: The images.
        keys: One for each.
    """
    plan, images = plan_of(augment, keys), jnp.asarray(squares)
    images = jnp.where(plan.flips[:, None, None, None], images[:, :, ::-1], images)

    def apply(images: UInt8[Array, "b s s 3"], slot: tuple[Array, Array]) -> tuple[Array, None]:
        return distorted(images, *slot), None

    images, _ = jax.lax.scan(apply, images, (plan.which.T, plan.magnitude.T))
    return holed(images, plan.row, plan.column, augment.cutout)


def plan_of(augment: Augment, keys: Key[Array, " b"]) -> Plan:
    """Draws what strong views are made by."""
    slots = augment.operations
    draws = uniform(keys, 3 + 3 * slots)
    which, position, side = draws[:, 3:].reshape(len(draws), 3, slots).transpose(1, 0, 2)
    chosen = whole(which, len(OPERATIONS))
    low, high, signed = (
        jnp.array(column)[chosen]
        for column in zip(*((o.low, o.high, o.signed) for o in OPERATIONS), strict=True)
    )
    magnitude = low + (high - low) * position
    return Plan(
        flips=draws[:, 0] < augment.flip,
        which=chosen,
        magnitude=jnp.where(signed & (side < 0.5), -magnitude, magnitude),
        row=whole(draws[:, 1], augment.size),
        column=whole(draws[:, 2], augment.size),
    )


def uniform(keys: Key[Array, " b"], count: int) -> Float[Array, "b n"]:
    """Some numbers in [0, 1) for every key."""
    return jax.vmap(lambda key: jax.random.uniform(key, (count,)))(keys)


def whole(draws: Float[Array, "..."], count: int) -> Int[Array, "..."]:
    """Of numbers in [0, 1), whole ones from 0 to below ``count``; even to one part in 2^23."""
    return jnp.floor(draws * count).astype(jnp.int32)


def holed(
    images: UInt8[Array, "b s s 3"], row: Int[Array, " b"], column: Int[Array, " b"], side: int
) -> UInt8[Array, "b s s 3"]:
    """Blackens a square about a pixel; what of it lies past the border is lost."""
    place = jnp.arange(images.shape[1])

    def within(centre: Int[Array, " b"]) -> Bool[Array, "b s"]:
        start = centre[:, None] - side // 2
        return (place >= start) & (place < start + side)

    hole = within(row)[:, :, None] & within(column)[:, None, :]
    return jnp.where(hole[..., None], 0, images).astype(jnp.uint8)


def windows(squares: UInt8[Tensor, "b s s 3"], shift: Shift) -> UInt8[Array, "b s s 3"]:
    """Windows of the enlarged squares where they move, the squares elsewhere; mirrored or not.

    Of the enlarged squares only what is shown is made, each pixel from two along either axis.
    """
    images, size = jnp.asarray(squares), squares.shape[1]
    place = jnp.arange(size)
    across = jnp.where(shift.flips[:, None], size - 1 - place, place)
    down = jnp.broadcast_to(place, across.shape)
    near, far, weight = (jnp.asarray(part) for part in enlarging(size))
    moves = shift.moves[:, None]
    for axis, start, order in ((2, shift.left, across), (1, shift.top, down)):
        there = start[:, None] + order
        images = between(
            images,
            jnp.where(moves, near[there], order),
            jnp.where(moves, far[there], order),
            jnp.where(moves, weight[there], UNIT),
            axis,
        )
    return images


def between(
    images: UInt8[Array, "b s s 3"], one: Int[Array, "b s"], other: Int[Array, "b s"],
    weight: Int[Array, "b s"], axis: int,
) -> UInt8[Array, "b s s 3"]:  # fmt: skip
    """Each line along an axis from two of them, ``weight`` of ``UNIT`` being the first's."""
    one, other, weight = (jnp.expand_dims(part, (3 - axis, 3)) for part in (one, other, weight))

    def lines(number: Int[Array, "b _ _ 1"]) -> Int[Array, "b s t 3"]:
        found = jnp.take_along_axis(images, number, axis=axis, mode="promise_in_bounds")
        return found.astype(jnp.int32)

    total = weight * lines(one) + (UNIT - weight) * lines(other)
    return ((total + UNIT // 2) >> UNIT_BITS).astype(jnp.uint8)


def enlarging(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How Pillow enlarges a line of ``size`` pixels: bilinear, in 22 bits.

    Returns:
        For each pixel of the enlarged line the two that it lies between, by their centres, and the
        weight of the first in ``UNIT``; past the outermost centre, that pixel alone.
    """
    enlarged = round(size * ENLARGEMENT)
    centre = (np.arange(enlarged) + 0.5) * (size / enlarged) - 0.5
    first = np.floor(centre)
    share = np.floor((1 - (centre - first)) * UNIT + 0.5)
    one, other = (np.clip(place, 0, size - 1).astype(np.int32) for place in (first, first + 1))
    return one, other, np.where(one == other, UNIT, share).astype(np.int32)
