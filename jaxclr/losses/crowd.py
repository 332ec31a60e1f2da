r"""The others whom each example of a batch is compared with, and log-sums over them.

Symbols: ``z`` unit vectors, :math:`s_{ab} = z_a^\top z_b` their cosines, ``k`` a log-kernel: any
increasing function of a cosine, such as :math:`s / T`. The crowd of ``a`` are the examples of
another key than its own: all but itself, where the keys are places.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxclr.losses.blocks import cosines, over_blocks, pair_sums

# Of a cosine, or of many.
LogKernel = Callable[[Any], Any]


class Crowd(NamedTuple):
    """What tells of two examples whether one is of the other's crowd: facts for pair sums."""

    key: Int[Array, "..."]
    counts: Bool[Array, "..."]
    # The largest cosine with anybody of the crowd; where it is None, 1 stands for it.
    nearest: Float[Array, "..."] | None


def crowd(
    z: Float[Array, "b d"], key: Int[Array, " b"], counts: Bool[Array, " b"], *, span: float
) -> Crowd:
    r"""Of each example, whom it is compared with.

    As in any log-sum-exp, exponents are relative to one near their largest. While the kernel spans
    less than float32 does, that of the cosine 1 is near enough; else all cosines are looked through
    beforehand for each example's nearest, at the cost of another product of matrices.

    Args:
        z: Vectors of length one, or zero.
        key: Compared for equality only.
        counts: Who is of any crowd at all.
        span: :math:`k(1) - k(-1)` at most, in nats.

    Returns:
        Facts about each example, for :func:`kernel`. They have no gradient.
    """
    # Half of what float32 spans below 1 is left to weights and their products.
    return Crowd(key, counts, _nearest(z, key, counts) if span > 60 else None)


def relative(log_kernel: LogKernel, cosine: Float[Array, "n m"], a: Crowd) -> Float[Array, "n m"]:
    r"""The logits of pairs, relative to that of each anchor's nearest, or to that of cosine 1.

    .. math:: k(s_{ab}) - k(s_a), \qquad s_a = \max_{b \,:\, y_b \ne y_a} s_{ab} \text{ or } 1

    Args:
        log_kernel: ``k``.
        cosine: :math:`s_{ab}`.
        a: Facts of the anchors, which broadcast to the cosines.

    Returns:
        At most 0, but for rounding, for those of the crowd of ``a``.
    """
    return log_kernel(cosine) - log_kernel(_largest(a))


def kernel(logits: Float[Array, "n m"], a: Crowd, b: Crowd) -> Float[Array, "n m"]:
    r"""What others weigh for the anchors: the exponential of :func:`relative` logits.

    Args:
        logits: Of pairs.
        a: Facts of the anchors.
        b: Facts of the others; they and those of the anchors broadcast to the logits.

    Returns:
        At most 1, but for rounding; 0 with zero slope where ``b`` is not of the crowd of ``a``.
    """
    there = (a.key != b.key) & b.counts
    # Masked before it is raised: nothing bounds the logits of others than the crowd.
    return jnp.exp(jnp.where(there, logits, -jnp.inf))


def log_of(total: Float[Array, " b"]) -> Float[Array, " b"]:
    """The logarithm of sums that are not negative; 0 with zero gradient where they are 0."""
    return jnp.log(jnp.where(total > 0, total, 1.0))


def log_repulsion(
    z: Float[Array, "b d"],
    key: Int[Array, " b"],
    weight: Float[Array, " b"],
    *,
    temperature: float,
) -> Float[Array, " b"]:
    r"""How strongly each example is repelled by its crowd.

    .. math:: \log \sum_{b \,:\, y_b \ne y_a} w_b \, e^{s_{ab} / T}

    It is :func:`jaxclr.losses.negative_logsumexp` of a weight for each example instead of each
    pair, without any array of pairs.

    Args:
        z: Vectors of length one, or zero.
        key: ``y``.
        weight: :math:`w \ge 0`, without a gradient; at 0 an example is of no crowd.
        temperature: ``T > 0``.

    Returns:
        One value per example in nats; 0 with zero gradient where its crowd is empty.
    """

    def log_kernel(cosine):
        return cosine / temperature

    def push(cosine, a, b):
        return kernel(relative(log_kernel, cosine, a), a, b)

    known = crowd(z, key, weight > 0, span=2 / temperature)
    total = pair_sums(push, z, known, weight[:, None])[:, 0]
    return jnp.where(total > 0, log_of(total) + log_kernel(_largest(known)), 0.0)


def _largest(known: Crowd) -> Float[Array, "..."] | float:
    return 1.0 if known.nearest is None else known.nearest


def _nearest(
    z: Float[Array, "b d"], key: Int[Array, " b"], counts: Bool[Array, " b"]
) -> Float[Array, " b"]:
    """The largest cosine with anybody of the crowd; -1 where there is nobody."""
    z = jax.lax.stop_gradient(z)

    def widen(largest, block):
        others, key_of_others, there = block
        of_crowd = (key[:, None] != key_of_others) & there
        return jnp.maximum(largest, jnp.where(of_crowd, cosines(z, others), -1.0).max(1))

    return over_blocks(widen, jnp.full(len(z), -1.0), (z, key, counts))
