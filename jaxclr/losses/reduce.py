"""From values to one number, from vectors to directions, and products that lose nothing."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num, Shaped


def masked_mean(values: Num[Array, "*b"], weight: Shaped[Array, "*b"]) -> Float[Array, ""]:
    """Averages ``values``, each counted by its ``weight``; the mean of nothing is zero.

    Args:
        values: Anything of a number type. Where the weight is zero it may even be infinite or
            NaN: it reaches neither the mean nor its gradient.
        weight: Booleans, or numbers that are not negative, of the same shape.

    Returns:
        ``sum(weight * values) / sum(weight)`` in float32; 0 where every weight is zero.
    """
    weight = weight.astype(jnp.float32)
    kept = jnp.where(weight > 0, values.astype(jnp.float32), 0.0)
    total = weight.sum()
    return (weight * kept).sum() / jnp.where(total > 0, total, 1.0)


def unit(vectors: Num[Array, "b d"]) -> Float[Array, "b d"]:
    """Scales each row to length one, in float32.

    The zero row stays zero, with a finite gradient: ``x / max(norm(x), eps)`` has none there.

    Args:
        vectors: Of any number type.

    Returns:
        Rows of length one, or zero; those shorter than 1e-6 are scaled by 1e6 alone.
    """
    vectors = vectors.astype(jnp.float32)
    squared = jnp.sum(vectors**2, axis=-1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(squared, 1e-12))


def exact_product(x: Float[Array, "l m"], y: Float[Array, "m n"]) -> Float[Array, "l n"]:
    """The product of matrices in their own precision, on every device.

    Errors of a faster one, such as TF32, would be divided by a temperature.
    """
    return jnp.matmul(x, y, precision="highest")
