"""Losses on class probabilities."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Num


def cross_entropy(logits: Num[Array, "b k"], label: Int[Array, " b"]) -> Float[Array, " b"]:
    """Negative log-likelihood of ``label``, in nats.

    Args:
        logits: Unnormalised log-probabilities of any float type; computed in float32.
        label: Class indices in ``[0, k)``.

    Returns:
        One loss per example, never negative.
    """
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), label)
