import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import gaussian_t_calibration, local_preservation, neighbourhood_entropy

RNG = np.random.default_rng(0)
EMBEDDING = jnp.asarray(RNG.normal(size=(7, 4)) * RNG.uniform(0.1, 9, (7, 1)), jnp.float32)
PRIOR = jnp.asarray(RNG.normal(size=(7, 3)), jnp.float32)
SHARE = jnp.asarray(RNG.uniform(0.1, 1, 7), jnp.float32)
# Two pairs of twins, an opposite, and a zero row.
ODD = jnp.concatenate([EMBEDDING[:3], EMBEDDING[:2], -EMBEDDING[:1], jnp.zeros((1, 4))])
SETTINGS = pytest.mark.parametrize("how", [{}, {"scale2": 0.05}, {"scale2": 0.2, "dof": 8.0}])


def gaussian(d2, scale2, dof):
    return np.exp(-d2 / (2 * scale2))


def student(d2, scale2, dof):
    return (1 + d2 / (dof * scale2)) ** (-(dof + 1) / 2)


def neighbours(vectors, kernel, scale2=0.5, dof=3.0):
    """The probability of each other example, one pair after the other."""
    x = np.asarray(vectors, np.float64)
    norm = np.linalg.norm(x, axis=1)
    p = np.zeros((len(x), len(x)))
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                cosine = x[i] @ x[j] / (norm[i] * norm[j]) if norm[i] * norm[j] else 0.0
                p[i, j] = kernel(2 - 2 * cosine, scale2, dof)
        p[i] /= p[i].sum() or 1
    return p


def cross_entropy(p, q):
    """Of each row of ``p`` against that of ``q``, where nothing is nothing."""
    surprise = np.zeros(len(p))
    for i, j in np.ndindex(p.shape):
        if p[i, j]:
            surprise[i] -= p[i, j] * np.log(q[i, j])
    return surprise


def entropy(p):
    return cross_entropy(p, p)


def calibration(embedding, fixed=None, **how):
    """The divergence whose Gaussian side is seen from ``fixed``."""
    fixed = embedding if fixed is None else fixed
    p, q = neighbours(fixed, gaussian, **how), neighbours(embedding, student, **how)
    return cross_entropy(p, q) - entropy(p)


def slopes(function, x, share):
    """Of the sum of ``share * function(x)``, by central differences."""
    x, found = np.asarray(x, np.float64), np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-5
        found[place] = ((function(x + step) - function(x - step)) * share).sum() / 2e-5
    return found


def gradient(function, x, share=1.0):
    return np.asarray(jax.grad(lambda x: (function(x) * share).sum())(x))


@SETTINGS
@pytest.mark.parametrize("embedding", [EMBEDDING, ODD], ids=["anything", "twins and a zero row"])
def test_calibration_is_the_double_loop_over_pairs(embedding, how):
    loss = gaussian_t_calibration(embedding, **how)
    np.testing.assert_allclose(loss, calibration(embedding, **how), rtol=1e-3, atol=1e-5)
    assert loss.max() > 1e-3


@jax.jit
def all_three(x, prior):
    return gaussian_t_calibration(x), local_preservation(x, prior), neighbourhood_entropy(prior)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
def test_all_are_their_double_loops_for_any_numbers(b, d, seed):
    rng = np.random.default_rng(seed)
    x, prior = (jnp.asarray(rng.normal(size=(b, n)), jnp.float32) for n in (d, d + 1))
    calibrated, preserved, entropies = all_three(x, prior)
    of_prior, of_x = neighbours(prior, student), neighbours(x, student)
    np.testing.assert_allclose(calibrated, calibration(x), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(preserved, cross_entropy(of_prior, of_x), rtol=1e-4, atol=1e-5)
    expected = np.maximum(entropy(of_prior), 0.1 * np.log(max(b - 1, 2)))
    np.testing.assert_allclose(entropies, expected, rtol=1e-4)


@SETTINGS
def test_its_gradient_is_the_slope_with_the_gaussian_held_fixed(how):
    found = gradient(lambda x: gaussian_t_calibration(x, **how), EMBEDDING, SHARE)
    held = slopes(lambda x: calibration(x, EMBEDDING, **how), EMBEDDING, SHARE)
    np.testing.assert_allclose(found, held, rtol=1e-2, atol=1e-4)
    loose = slopes(lambda x: calibration(x, **how), EMBEDDING, SHARE)
    assert np.abs(held - loose).max() > 1e-2


def on_a_circle(near, far):
    angle = jnp.stack([jnp.zeros(()), near, far])
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], 1)


@pytest.mark.parametrize("far", [1.5, 2.5])
def test_near_examples_are_pulled_and_far_ones_pushed(far):
    near, off = jax.grad(lambda x: gaussian_t_calibration(on_a_circle(*x))[0])(
        jnp.array([0.3, far])
    )
    # Moving away would cost for the one, and gain for the other.
    assert near > 0.01
    assert off < -0.01


@pytest.mark.parametrize("b", [2, 3, 6])
def test_where_all_are_equally_far_both_kernels_are_uniform(b):
    embedding = jnp.eye(b)
    np.testing.assert_allclose(gaussian_t_calibration(embedding), 0, atol=1e-6)
    np.testing.assert_allclose(gradient(gaussian_t_calibration, embedding), 0, atol=1e-6)
    uniform = np.log(b - 1)
    np.testing.assert_allclose(local_preservation(embedding, embedding), uniform, rtol=1e-6)
    np.testing.assert_allclose(
        neighbourhood_entropy(embedding), max(uniform, 0.1 * np.log(2)), rtol=1e-6
    )


def test_a_t_of_many_degrees_of_freedom_is_the_gaussian():
    gaps = [float(gaussian_t_calibration(EMBEDDING, dof=10.0**n).max()) for n in (0, 1, 2, 3, 7)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.1 and abs(gaps[-1]) < 1e-6


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(0, 99), st.sampled_from([0.05, 0.5, 5.0]), st.sampled_from([2.1, 3.0, 30.0]))
def test_a_divergence_is_never_negative(seed, scale2, dof):
    x = jax.random.normal(jax.random.key(seed), (8, 3))
    assert (gaussian_t_calibration(x, scale2=scale2, dof=dof) > -1e-6).all()


def test_anchors_count_by_their_weight_which_has_no_gradient():
    def loss(x, weight):
        return gaussian_t_calibration(x, anchor_weight=weight)

    plain = gaussian_t_calibration(EMBEDDING)
    np.testing.assert_allclose(loss(EMBEDDING, SHARE), SHARE * plain, rtol=1e-6)
    by_x, by_weight = jax.grad(lambda *a: loss(*a).sum(), (0, 1))(EMBEDDING, SHARE)
    np.testing.assert_allclose(by_x, gradient(gaussian_t_calibration, EMBEDDING, SHARE), rtol=1e-5)
    assert not by_weight.any()


def test_an_outlier_of_the_prior_has_a_flatter_neighbourhood():
    crowd = [[1, 0, 0.01 * n] for n in range(4)]
    *others, alone = neighbourhood_entropy(jnp.array([*crowd, [-1, 0, 0]], jnp.float32))
    assert alone > max(others)
    np.testing.assert_allclose(alone, np.log(4), rtol=1e-3)


def test_a_sharp_neighbourhood_is_held_at_a_tenth_of_the_greatest_entropy():
    twins = jnp.repeat(jnp.eye(5), 2, 0)
    held = neighbourhood_entropy(twins, scale2=1e-6)
    assert entropy(neighbours(twins, student, 1e-6)).max() < 1e-3
    np.testing.assert_allclose(held, 0.1 * np.log(9), rtol=1e-6)


@SETTINGS
def test_preservation_is_least_where_both_neighbourhoods_agree(how):
    least = entropy(neighbours(PRIOR, student, **how))
    np.testing.assert_allclose(local_preservation(PRIOR, PRIOR, **how), least, rtol=1e-5)
    at_rest = gradient(lambda x: local_preservation(x, PRIOR, **how), PRIOR)
    np.testing.assert_allclose(at_rest, 0, atol=1e-5)
    for seed in range(5):
        noise = jax.random.normal(jax.random.key(seed), PRIOR.shape)
        moved = local_preservation(PRIOR + 0.3 * noise, PRIOR, **how)
        assert (moved > least - 1e-6).all() and moved.sum() > least.sum() + 1e-3


@SETTINGS
def test_its_gradient_is_the_slope_and_spares_the_prior(how):
    of_prior = neighbours(PRIOR, student, **how)
    expected = slopes(
        lambda x: cross_entropy(of_prior, neighbours(x, student, **how)), EMBEDDING, SHARE
    )
    found = gradient(lambda x: local_preservation(x, PRIOR, **how), EMBEDDING, SHARE)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-4)
    assert not gradient(lambda prior: local_preservation(EMBEDDING, prior, **how), PRIOR).any()
    assert not gradient(lambda prior: neighbourhood_entropy(prior, **how), PRIOR).any()


def test_turning_the_space_or_scaling_a_vector_changes_nothing():
    turn = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    moved = jnp.asarray(RNG.uniform(0.01, 100, (7, 1)) * EMBEDDING @ turn, jnp.float32)
    close = {"rtol": 1e-4, "atol": 1e-6}
    for loss in (
        gaussian_t_calibration,
        neighbourhood_entropy,
        lambda x: local_preservation(x, PRIOR),
        lambda x: local_preservation(PRIOR, x),
    ):
        np.testing.assert_allclose(loss(moved), loss(EMBEDDING), **close)


ROOMS = {
    "nobody else": np.ones((1, 3)),
    "one other": np.eye(2, 3),
    "the same": np.full((5, 3), 0.7),
    "nearly the same": 1 + 1e-4 * RNG.normal(size=(5, 3)),
    "opposite": np.outer((-1.0) ** np.arange(5), [1, 2, 2]),
    "zero": np.zeros((5, 3)),
}


@functools.partial(jax.jit, static_argnums=1)
@functools.partial(jax.value_and_grad, has_aux=True)
def everything(x, scale2):
    """The sum of both losses and its gradient; beside it, the losses themselves."""
    weight = 1 / neighbourhood_entropy(x, scale2=scale2)
    losses = (
        gaussian_t_calibration(x, scale2=scale2, anchor_weight=weight),
        local_preservation(x, x[:, ::-1], scale2=scale2),
    )
    return sum(losses).sum(), losses


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("scale2", [1e-4, 1e4])
@pytest.mark.parametrize("room", ROOMS)
def test_all_is_finite_where_there_is_little_to_tell_apart(room, scale2, dtype):
    (_, losses), slope = everything(jnp.asarray(ROOMS[room], dtype), scale2)
    assert all(x.dtype == jnp.float32 and np.isfinite(x).all() for x in losses)
    assert np.isfinite(slope.astype(jnp.float32)).all()
    if len(slope) < 3:
        assert not any(x.any() for x in losses)
