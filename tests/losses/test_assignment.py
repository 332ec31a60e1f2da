import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import sinkhorn

RNG = np.random.default_rng(0)
SCORES = jnp.asarray(RNG.uniform(-1, 1, (8, 3)), jnp.float32)
PRIORS = {"none": None, "uneven": [0.5, 0.2, 0.3], "absent class": [0.6, 0.0, 0.4]}
each_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)


def linear(scores, prior=None, temperature=0.05, iterations=3):
    """The same as products, in the order in which they are written down."""
    s = np.asarray(scores, np.float64)
    b, k = s.shape
    share = np.full(k, 1 / k) if prior is None else np.asarray(prior, np.float64)
    q = np.exp(s / temperature)
    for _ in range(iterations):
        for c in range(k):
            q[:, c] *= b * share[c] / (q[:, c].sum() or 1)
        for i in range(b):
            q[i] /= q[i].sum()
    return q / q.sum(1, keepdims=True)


def assigned(scores, prior=None, **how):
    prior = None if prior is None else jnp.asarray(prior, jnp.float32)
    return sinkhorn(scores, prior=prior, **how)


@each_prior
@pytest.mark.parametrize("temperature", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("iterations", [0, 1, 3, 20])
def test_it_is_the_loop_over_rows_and_columns_in_linear_form(prior, temperature, iterations):
    how = {"temperature": temperature, "iterations": iterations}
    if not iterations:
        prior = None
    found = assigned(SCORES, prior, **how)
    np.testing.assert_allclose(found, linear(SCORES, prior, **how), rtol=1e-4, atol=1e-6)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
def test_it_is_the_loop_for_any_numbers_of_examples_and_classes(b, k, seed):
    rng = np.random.default_rng(seed)
    scores, prior = rng.uniform(-1, 1, (b, k)), rng.uniform(0.1, 1, k)
    found = jax.jit(assigned)(jnp.asarray(scores, jnp.float32), prior)
    np.testing.assert_allclose(found, linear(scores, prior), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


@each_prior
def test_rows_sum_to_one_at_once_and_columns_in_the_end(prior):
    share = np.full(3, 1 / 3) if prior is None else np.array(prior)
    gaps = []
    for iterations in (1, 3, 10, 100):
        found = assigned(SCORES, prior, temperature=0.3, iterations=iterations)
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-6)
        gaps.append(np.abs(found.sum(0) - 8 * share).max())
    assert gaps[0] > 0.01 > 1e-5 > gaps[-1]
    assert gaps[0] > gaps[1] > gaps[2]


def test_in_the_end_it_is_the_likeliest_of_all_tables_of_these_sums():
    # Its logarithm and the scores differ by a sum of rows and columns: the condition of an optimum.
    found = assigned(SCORES, [0.5, 0.2, 0.3], temperature=0.3, iterations=100)
    gap = np.log(found) - SCORES / 0.3
    gap = gap - gap.mean(0) - gap.mean(1, keepdims=True) + gap.mean()
    np.testing.assert_allclose(gap, 0, atol=1e-5)


def test_its_gradient_is_the_slope_of_the_linear_form():
    share = RNG.normal(size=SCORES.shape)
    how = {"prior": [0.5, 0.2, 0.3], "temperature": 0.3}
    slopes = np.zeros(SCORES.shape)
    for place in np.ndindex(SCORES.shape):
        step = np.zeros(SCORES.shape)
        step[place] = 1e-5
        up, down = (linear(np.asarray(SCORES, np.float64) + s * step, **how) for s in (1, -1))
        slopes[place] = ((up - down) * share).sum() / 2e-5
    found = jax.grad(lambda scores: (assigned(scores, **how) * share).sum())(SCORES)
    np.testing.assert_allclose(found, slopes, rtol=1e-3, atol=1e-5)


def test_a_class_without_a_share_might_as_well_not_be_there():
    found = assigned(SCORES, [0.6, 0.0, 0.4])
    assert not found[:, 1].any()
    np.testing.assert_allclose(
        found[:, [0, 2]], assigned(SCORES[:, [0, 2]], [0.6, 0.4]), rtol=1e-5, atol=1e-7
    )


def test_the_scale_of_the_prior_is_free_and_so_is_the_zero_of_the_scores():
    found = assigned(SCORES, [0.5, 0.2, 0.3])
    close = {"rtol": 1e-3, "atol": 1e-6}
    np.testing.assert_allclose(assigned(SCORES, [50.0, 20.0, 30.0]), found, **close)
    np.testing.assert_allclose(assigned(SCORES + 7, [0.5, 0.2, 0.3]), found, **close)
    # What all examples like alike is no one's class.
    offset = jnp.array([1.0, -1.0, 0.5])
    np.testing.assert_allclose(assigned(SCORES + offset, [0.5, 0.2, 0.3]), found, **close)


def test_renamed_classes_rename_the_columns():
    order = np.array([2, 0, 1])
    prior = np.array([0.5, 0.2, 0.3])
    found = assigned(SCORES, prior)
    np.testing.assert_allclose(assigned(SCORES[:, order], prior[order]), found[:, order], rtol=1e-4)


def test_one_example_alone_gets_the_prior():
    np.testing.assert_allclose(assigned(SCORES[:1], [0.5, 0.2, 0.3]), [[0.5, 0.2, 0.3]], rtol=1e-5)


def test_cold_it_is_the_best_matching_and_hot_it_is_the_prior():
    # All examples like class 0 best; the last two lose least by another.
    scores = jnp.array([[0.9, 0.1, 0.0], [0.8, 0.7, 0.1], [0.8, 0.3, 0.7]])
    found = assigned(scores, temperature=0.01, iterations=50)
    np.testing.assert_allclose(found, np.eye(3), atol=1e-3)
    hot = assigned(scores, [0.5, 0.2, 0.3], temperature=1e6)
    np.testing.assert_allclose(hot, [[0.5, 0.2, 0.3]] * 3, rtol=1e-4)


@functools.partial(jax.jit, static_argnums=2)
@functools.partial(jax.value_and_grad, argnums=(0, 1), has_aux=True)
def weighed(scores, prior, temperature):
    found = sinkhorn(scores, prior=prior, temperature=temperature)
    return (found * jnp.arange(3)).sum(), found


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("temperature", [1e-6, 1e8])
def test_no_temperature_is_too_low_or_too_high(temperature, dtype):
    for scores in (100 * SCORES, jnp.zeros((8, 3)), jnp.full((8, 3), -1e4)):
        for prior in ([1.0, 1.0, 1.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.0]):
            (_, found), slopes = weighed(
                scores.astype(dtype), jnp.asarray(prior, dtype), temperature
            )
            assert found.dtype == jnp.float32
            assert (found >= 0).all()
            np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
            assert all(np.isfinite(x.astype(jnp.float32)).all() for x in slopes)
            # Nor does the prior learn.
            assert not slopes[1].any()
