"""Log-sums over others without an array of pairs, beside the one that has it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contrasts import energy, slopes
from pairs import directions

from jaxclr.losses.crowd import log_repulsion

KEY = np.array([0, 0, 1, 2, 2, 2, 3])
WEIGHT = np.array([1, 0.5, 0.01, 0, 1, 0.2, 0], np.float32)
VECTORS = {
    "anything": np.random.default_rng(0).normal(size=(7, 3)),
    "opposite": np.outer([1, 1, -1, 1, -1, -1, 1], [1, 2, 2]),
    "one far": np.outer([1, 1, 1, 1, 1, 1, -1], [1, 2, 2]),
    "zero": np.zeros((7, 3)),
}


def expected(z, temperature):
    """Relative to cosine 0, so that float64 spans it, as a double loop."""
    return energy(z @ z.T, (KEY[:, None] != KEY) * WEIGHT.astype(np.float64), temperature)


@functools.partial(jax.jit, static_argnums=1)
def found(x, temperature):
    """Each value, and the gradient of their sum."""

    def total(x):
        value = log_repulsion(x, jnp.asarray(KEY), jnp.asarray(WEIGHT), temperature=temperature)
        return value.sum(), value

    slope, value = jax.grad(total, has_aux=True)(x)
    return value, slope


# Above 1/30 exponents are relative to cosine 1, below to that of each example's nearest.
@pytest.mark.parametrize("temperature", [0.002, 0.02, 0.033, 0.034, 0.1, 1.0])
@pytest.mark.parametrize("room", VECTORS)
def test_it_is_the_logarithm_of_the_weighted_sum_however_cold(room, temperature):
    z = directions(VECTORS[room])
    value, slope = found(jnp.asarray(z, jnp.float32), temperature)
    np.testing.assert_allclose(value, expected(z, temperature), rtol=1e-5, atol=1e-5)
    wanted = slopes(lambda x: expected(x, temperature).sum(), z, 1e-6)
    np.testing.assert_allclose(slope, wanted, rtol=1e-3, atol=1e-3 / temperature)


@pytest.mark.parametrize("temperature", [0.02, 0.5])
def test_where_there_is_nobody_it_is_zero_with_zero_gradient(temperature):
    given = jnp.asarray(VECTORS["anything"], jnp.float32)

    def alone(x):
        # One key is all there is of weight: its own examples have no crowd.
        weight = jnp.asarray(KEY == 2, jnp.float32)
        return log_repulsion(x, jnp.asarray(KEY), weight, temperature=temperature)[3:6]

    assert not alone(given).any()
    assert not jax.grad(lambda x: alone(x).sum())(given).any()
