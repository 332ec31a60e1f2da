import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import domain_means, invariance_penalty, risk_extrapolation, tilted_shares

K = 3


N = 3
penalty_of = jax.jit(functools.partial(invariance_penalty, num_domains=N))
means_of = jax.jit(functools.partial(domain_means, num_domains=N))
deviation_of = jax.jit(functools.partial(risk_extrapolation, num_domains=N))


def sample(b=12, seed=0, least=0):
    """Logits, labels, domains and halves; domains below 0 are none."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(b, K))
    facts = rng.integers(0, K, b), rng.integers(least, N, b), rng.integers(0, 2, b)
    return (logits.astype(np.float32), *facts)


def risk(logits, label, scale=1.0):
    """The mean cross-entropy of scaled logits, one example after the other."""
    logits = scale * np.asarray(logits, np.float64)
    losses = [np.log(np.exp(f).sum()) - f[y] for f, y in zip(logits, label, strict=True)]
    return sum(losses) / len(losses)


def slope(logits, label, step=1e-5):
    """In the factor of the logits, at 1, by differences."""
    return (risk(logits, label, 1 + step) - risk(logits, label, 1 - step)) / (2 * step)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(-9, 0), st.integers(0, 99))
def test_the_penalty_is_the_product_of_two_halves_slopes_in_a_factor_of_the_logits(least, seed):
    logits, label, domain, half = sample(seed=seed, least=least)
    penalty, exists = penalty_of(logits, label, domain, half)
    for i in range(N):
        halves = [(domain == i) & (half == h) for h in (0, 1)]
        assert exists[i] == all(some.any() for some in halves)
        expected = 0.0
        if exists[i]:
            expected = np.prod([slope(logits[some], label[some]) for some in halves])
        np.testing.assert_allclose(penalty[i], expected, rtol=1e-4, atol=1e-5)


def test_it_has_no_bias_which_the_square_has():
    """The mean over all ways to draw two images is the square of the slope of the whole."""
    logits, label, *_ = sample(6)
    penalties = []
    for i, j in np.ndindex(6, 6):
        pair = logits[[i, j]], label[[i, j]], np.zeros(2, int), np.arange(2)
        penalties.append(penalty_of(*pair)[0][0])
    np.testing.assert_allclose(np.mean(penalties), slope(logits, label) ** 2, rtol=1e-3)
    assert min(penalties) < 0


def test_where_the_scale_is_best_there_is_no_penalty():
    # Three quarters are right, and that is what is stated.
    best = jnp.log(jnp.array([[3.0, 1.0]] * 8))
    label = jnp.array([0, 0, 0, 0, 0, 0, 1, 1])
    half = jnp.array([0, 0, 1, 0, 1, 1, 0, 1])
    facts = label, jnp.zeros(8, int), half
    np.testing.assert_allclose(penalty_of(best, *facts)[0], 0, atol=1e-12)
    assert penalty_of(2 * best, *facts)[0][0] > 0.01


def test_logits_far_from_zero_lose_no_digits():
    logits, *rest = sample()
    found, expected = penalty_of(logits + 1000, *rest)[0], penalty_of(logits, *rest)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    call = jax.jit(jax.value_and_grad(lambda x: penalty_of(x, *rest)[0].sum()))
    assert all(np.isfinite(x).all() for x in call(1e4 * logits))


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(-9, 0), st.integers(0, 99))
def test_risks_are_means_and_their_deviations_add_up_to_the_variance(least, seed):
    rng = np.random.default_rng(seed)
    values, domain = rng.normal(size=8).astype(np.float32), rng.integers(least, N, 8)
    domain[0] = 1
    (means, exists), (deviation, there) = means_of(values, domain), deviation_of(values, domain)
    present = [i for i in range(N) if (domain == i).any()]
    np.testing.assert_array_equal(np.flatnonzero(exists), present)
    np.testing.assert_array_equal(there, exists)
    risks = [np.mean([v for v, i in zip(values, domain, strict=True) if i == j]) for j in present]
    np.testing.assert_allclose(means[exists], risks, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(deviation[there].mean(), np.var(risks), rtol=1e-3, atol=1e-6)
    assert not means[~exists].any() and not deviation[~there].any()


def test_equal_risks_vary_by_nothing_and_have_no_slope():
    domain = jnp.arange(8) % 2
    values = jnp.asarray(np.repeat([3.0, 1.0, 0.0, 2.0], 2), jnp.float32)

    def total(x):
        return deviation_of(x, domain)[0].sum()

    assert total(values) == 0 and not jax.grad(total)(values).any()


def test_the_slope_of_the_variance_pulls_the_domain_that_is_worst_hardest():
    values, domain = jnp.array([1.0, 2.0, 6.0]), jnp.arange(3)
    slopes = jax.grad(lambda x: deviation_of(x, domain)[0].mean())(values)
    np.testing.assert_allclose(slopes, 2 * (values - 3) / 3, rtol=1e-5)


def test_what_is_of_no_domain_is_left_out():
    values, domain = jnp.array([1.0, 2.0, 100.0, 100.0]), jnp.array([0, 2, 3, -1])
    np.testing.assert_array_equal(means_of(values, domain)[0], [1, 0, 2])
    logits, label, domain, half = sample()
    expected, _ = penalty_of(logits, label, domain, half)
    twice = [np.concatenate([x, x]) for x in (logits, label, domain, half)]
    for outside in (-1, 3):
        twice[2] = np.concatenate([domain, np.full(12, outside)])
        np.testing.assert_allclose(penalty_of(*twice)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("step_size", [0.0, 0.01, 2.0])
def test_shares_grow_with_the_exponential_of_the_risk(step_size):
    share, risk = np.array([0.2, 0.5, 0.3]), np.array([2.0, 0.1, 3.0])
    grown = [q * np.exp(step_size * r) for q, r in zip(share, risk, strict=True)]
    found = tilted_shares(jnp.asarray(share), jnp.asarray(risk), step_size=step_size)
    np.testing.assert_allclose(found, grown / sum(grown), rtol=1e-5)


def test_a_share_of_nothing_comes_back_and_none_is_lost_to_large_risks():
    share = jnp.array([1.0, 0.0])
    for _ in range(100):
        share = tilted_shares(share, jnp.array([0.0, 1.0]), step_size=1.0)
    np.testing.assert_allclose(share, [0, 1], atol=1e-6)
    found = tilted_shares(jnp.array([0.5, 0.5]), jnp.array([1e4, 1.0]), step_size=1.0)
    np.testing.assert_array_equal(found, [1, 0])


def test_shares_have_no_slope():
    for place in (0, 1):
        slopes = jax.jacobian(tilted_shares, argnums=place)(jnp.ones(2), jnp.array([1.0, 2.0]))
        assert not slopes.any()
