"""What labelers remember of the unlabeled images: averages over the batch, and over the steps."""

from typing import NamedTuple, TypeVar

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from jaxclr.types import Evidence

T = TypeVar("T")


class Around(NamedTuple):
    """The memory of a labeler that is put around another one: its own, and the other's."""

    own: PyTree
    within: PyTree


def recalled(memory: PyTree, kind: type[T]) -> T | None:
    """The memory of that kind, of a labeler or of one that it is put around; None without one."""
    if isinstance(memory, kind):
        return memory
    if not isinstance(memory, Around):
        return None
    own = recalled(memory.own, kind)
    return recalled(memory.within, kind) if own is None else own


def mean_of_unlabeled(evidence: Evidence, values: Shaped[Array, "b ..."]) -> Float[Array, "..."]:
    """Averages over the unlabeled images of a batch; the mean of nothing is zero.

    Args:
        evidence: Says which images are unlabeled.
        values: One number, or one array of any shape, per image; labeled ones' do not matter.

    Returns:
        The mean in float32.
    """
    of_unlabeled = (evidence.given < 0).reshape(-1, *[1] * (values.ndim - 1))
    total = jnp.where(of_unlabeled, values, 0).astype(jnp.float32).sum(0)
    return total / jnp.maximum(of_unlabeled.sum(), 1)


def followed(
    average: Float[Array, "..."],
    values: Shaped[Array, "b ..."],
    evidence: Evidence,
    decay: float,
) -> Float[Array, "..."]:
    r"""Lets a moving average follow the unlabeled images of one more batch.

    .. math:: \mu_t = \lambda \mu_{t-1} + (1 - \lambda) \, \mathrm{mean}_{b\,\text{unlabeled}} v_b

    Args:
        average: :math:`\mu_{t-1}`.
        values: :math:`v`, one per image; labeled ones' do not matter.
        evidence: Says which images are unlabeled.
        decay: :math:`\lambda` in [0, 1].

    Returns:
        :math:`\mu_t`; the average as it was where the batch has no unlabeled image.
    """
    moved = decay * average + (1 - decay) * mean_of_unlabeled(evidence, values)
    return jnp.where((evidence.given < 0).any(), moved, average)
