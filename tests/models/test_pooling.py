import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.models.pooling import max_pool_2x2, max_pool_3x3

SIZES = [(4, 4), (5, 7), (2, 1)]


def windows(x: np.ndarray, side: int, pad: int) -> np.ndarray:
    """Maxima of windows at stride 2, one window after another."""
    b, h, w, c = x.shape
    padded = np.full((b, h + 2 * pad, w + 2 * pad, c), -np.inf, np.float32)
    padded[:, pad : pad + h, pad : pad + w] = x
    rows, columns = ((n + 2 * pad - side) // 2 + 1 for n in (h, w))
    out = np.empty((b, rows, columns, c), np.float32)
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = padded[:, 2 * i : 2 * i + side, 2 * j : 2 * j + side].max((1, 2))
    return out


def reduced(x, side, pad):
    """The same by XLA, for its gradient."""
    pads = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, side, side, 1), (1, 2, 2, 1), pads)


def maps(h: int, w: int) -> np.ndarray:
    """No two values alike, and none that a zero of padding would not beat, or lose to."""
    size = 2 * h * w * 3
    values = np.random.default_rng(0).permutation(size) - size / 2 + 0.5
    return values.reshape(2, h, w, 3).astype(np.float32)


POOLS = pytest.mark.parametrize(
    ("pool", "side", "pad"), [(max_pool_2x2, 2, 0), (max_pool_3x3, 3, 1)], ids=["2x2", "3x3"]
)


@POOLS
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("shift", [0.0, -1e4])
def test_maxima_are_those_of_every_window(pool, side, pad, size, shift):
    # Shifted, all are negative, and a padding with zeros would show.
    x = maps(*size) + np.float32(shift)
    np.testing.assert_array_equal(jax.jit(pool)(jnp.asarray(x)), windows(x, side, pad))


@POOLS
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_gradients_are_those_of_reduce_window(pool, side, pad, size):
    x = jnp.asarray(maps(*size))

    @jax.jit
    def gradient(x):
        out, pull = jax.vjp(pool, x)
        _, expected = jax.vjp(lambda x: reduced(x, side, pad), x)
        share = jnp.arange(1.0, out.size + 1).reshape(out.shape)
        return pull(share)[0], expected(share)[0]

    found, expected = gradient(x)
    np.testing.assert_allclose(found, expected)
    assert expected.any()


@POOLS
def test_ties_share_the_gradient_and_lose_nothing_of_it(pool, side, pad):
    x = jnp.zeros((1, 4, 4, 1))
    gradient = jax.jit(jax.grad(lambda x: pool(x).sum()))(x)
    np.testing.assert_allclose(gradient.sum(), 2 * 2)
    assert (gradient > 0).all()


@POOLS
def test_half_precision_stays_half_precision(pool, side, pad):
    x = jnp.asarray(maps(5, 6) / 64, jnp.bfloat16)
    out = jax.jit(pool)(x)
    assert out.dtype == jnp.bfloat16
    np.testing.assert_array_equal(out.astype(jnp.float32), windows(np.asarray(x), side, pad))
