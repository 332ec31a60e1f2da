r"""Sums over all pairs of a batch, in memory that grows with the batch and not with its square.

Symbols: ``z`` unit vectors of a batch, :math:`s_{ab} = z_a^\top z_b` their cosines, seen as a
matrix whose rows are the anchors ``a``. Of a large batch it is never there as a whole: a loop goes
over blocks of its columns, forward, and backward once more, where each block is computed anew. The
rows stay together, so that of devices which share a batch each keeps the sums of its own examples.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.shard_alike import shard_alike
from jaxtyping import Array, Float

from jaxclr.losses.reduce import exact_product

# Up to so many examples are one block, whose cosines are not computed anew on the way back: the
# compiler finds them among those it has. Of more, three arrays of all pairs exceed the 32 MiB that
# the C library keeps at hand, and on a CPU new pages take longer than the cosines.
AT_ONCE = 1672
# A larger batch is cut into blocks of at most so many columns.
BLOCK = 256


def pair_sums(
    push: Callable[[Any, Any, Any], Any], z: Any, facts: Any, weight: Float[Array, "b c"]
) -> Any:
    r"""What each example gets from all examples together.

    .. math::
        S_{ac} = \sum_b f(s_{ab}; a, b) \, w_{bc}, \qquad
        \frac{\partial L}{\partial z_a} = \sum_b z_b \sum_c \Big(
            \frac{\partial L}{\partial S_{ac}} w_{bc} \, f'(s_{ab}; a, b)
            + \frac{\partial L}{\partial S_{bc}} w_{ac} \, f'(s_{ab}; b, a) \Big)

    A pair has one cosine, whoever of both is the anchor: either way, it moves ``a`` along the same
    vector. So one product of matrices is the whole gradient, where two would be without symmetry.

    Args:
        push: ``f``, written for one pair: of its cosine, of the facts of ``a`` and of those of
            ``b``. It is given arrays that broadcast, and returns one of the cosines' shape or a
            tuple of several. It is finite, slope included, also where there is no weight.
        z: Vectors of length one, or zero; or a tuple of such arrays, for as many cosines.
        facts: Arrays of one value per example. They get no gradient.
        weight: ``w``, in ``c`` columns. It gets no gradient.

    Returns:
        ``S`` in float32, or a tuple of as many as ``push`` returns.
    """
    return _sums(push, z, facts, weight)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sums(push, z, facts, weight):
    def pushes(others, facts_of_others):
        return push(cosines(z, others), _as_column(facts), facts_of_others)

    def add(sums, block):
        *others, share = block
        return jax.tree.map(lambda total, f: total + exact_product(f, share), sums, pushes(*others))

    start = jax.tree.map(lambda _: jnp.zeros_like(weight), jax.eval_shape(pushes, z, facts))
    return over_blocks(add, start, (z, facts, weight))


def _forward(push, z, facts, weight):
    return _sums(push, z, facts, weight), (z, facts, weight)


def _backward(push, known, slope):
    z, facts, weight = known

    def add(total, block):
        others, facts_of_others, share, slope_of_others = block

        def both_ways(cosine):
            own = _as_column(facts)
            return push(cosine, own, facts_of_others), push(cosine, facts_of_others, own)

        _, pull = jax.vjp(both_ways, cosines(z, others))
        to_own = jax.tree.map(lambda g: exact_product(g, share.T), slope)
        to_others = jax.tree.map(lambda g: exact_product(weight, g.T), slope_of_others)
        # Else devices may hold one by rows and the other by columns, and would send them around.
        (moves,) = pull(shard_alike(to_own, to_others))
        return jax.tree.map(lambda sums, f, x: sums + exact_product(f, x), total, moves, others)

    start = jax.tree.map(jnp.zeros_like, z)
    return over_blocks(add, start, (z, facts, weight, slope)), None, None


_sums.defvjp(_forward, _backward)


def over_blocks(step: Callable[[Any, Any], Any], start: Any, rows: Any) -> Any:
    """Takes one block of ``rows`` after the other into account.

    Args:
        step: From what the blocks so far give, and the next block, to what they give with it.
        start: What no block gives.
        rows: Arrays of as many rows, of which a block has a part. The last is filled with zeros.

    Returns:
        What all blocks give; of a small batch the whole is the only one, without a loop.
    """
    b = len(jax.tree.leaves(rows)[0])
    if b <= AT_ONCE:
        return step(start, rows)
    count = -(-b // BLOCK)
    size = -(-b // count)

    def cut(x):
        filled = jnp.pad(x, [(0, count * size - b)] + [(0, 0)] * (x.ndim - 1))
        return filled.reshape(count, size, *x.shape[1:])

    blocks = jax.tree.map(cut, rows)
    return jax.lax.scan(lambda so_far, block: (step(so_far, block), None), start, blocks)[0]


def cosines(z: Any, others: Any) -> Any:
    """Of unit vectors with others: of arrays, or of tuples of as many."""
    return jax.tree.map(lambda x, y: exact_product(x, y.T), z, others)


def _as_column(facts):
    return jax.tree.map(lambda x: x[:, None], facts)
