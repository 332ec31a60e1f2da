import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.losses import masked_mean, unit


def test_weights_count_as_repetitions_do():
    values = np.array([3.0, -1.0, 0.5, 8.0], np.float32)
    times = np.array([2, 0, 1, 3])
    np.testing.assert_allclose(
        masked_mean(jnp.asarray(values), jnp.asarray(times)), np.repeat(values, times).mean()
    )


def test_a_mask_picks_what_is_averaged_in_any_number_of_dimensions():
    values = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    mask = values > 0
    np.testing.assert_allclose(
        masked_mean(jnp.asarray(values), jnp.asarray(mask)), values[mask].mean(), rtol=1e-6
    )


def test_fractions_weigh_against_each_other_only():
    values, weight = jnp.array([1.0, 5.0]), jnp.array([0.01, 0.03])
    np.testing.assert_allclose(masked_mean(values, weight), 4.0, rtol=1e-6)
    np.testing.assert_allclose(masked_mean(values, 100 * weight), 4.0, rtol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (0,)])
def test_the_mean_of_nothing_is_zero_and_so_is_its_gradient(shape):
    values, nobody = jnp.full(shape, 7.0), jnp.zeros(shape, bool)
    mean, gradient = jax.value_and_grad(masked_mean)(values, nobody)
    assert mean == 0
    assert not gradient.any()


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_has_no_weight_reaches_neither_mean_nor_gradient(poison):
    values, weight = jnp.array([1.0, poison, 4.0]), jnp.array([1.0, 0.0, 2.0])
    mean, gradient = jax.value_and_grad(masked_mean)(values, weight)
    np.testing.assert_allclose(mean, 3.0, rtol=1e-6)
    np.testing.assert_allclose(gradient, [1 / 3, 0, 2 / 3], rtol=1e-6)
    mean, gradient = jax.value_and_grad(masked_mean)(values, jnp.zeros(3))
    assert mean == 0
    assert not gradient.any()


def test_many_half_precision_values_are_added_in_single_precision():
    # In bfloat16, 256 + 1 is 256: a sum of ones would stop there.
    values = jnp.ones(2000, jnp.bfloat16)
    mean = masked_mean(values, jnp.ones(2000, jnp.bfloat16))
    assert mean.dtype == jnp.float32
    assert mean == 1


def test_rows_keep_their_direction_and_get_length_one():
    vectors = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    vectors *= np.array([[1e-4], [1], [7], [300], [1e6]], np.float32)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(unit(jnp.asarray(vectors)), exact, rtol=1e-5)


def test_the_zero_row_stays_zero_with_a_finite_gradient():
    vectors = jnp.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(unit(vectors), [[0, 0], [0.6, 0.8]], rtol=1e-6)
    assert np.isfinite(jax.jacobian(unit)(vectors)).all()


def test_growing_a_row_changes_nothing():
    row = jnp.array([[2.0, -1.0, 3.0]])
    _, change = jax.jvp(unit, (row,), (row,))
    np.testing.assert_allclose(change, 0, atol=1e-6)


def test_half_precision_rows_are_scaled_in_single_precision():
    vectors = jnp.asarray(np.random.default_rng(2).normal(size=(4, 64)), jnp.bfloat16)
    scaled = unit(vectors)
    assert scaled.dtype == jnp.float32
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, rtol=1e-5)
