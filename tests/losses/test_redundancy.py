import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import barlow_twins, cosine_distance, whiten, whitening_mse


def views(b=12, d=4, seed=0):
    """Two that share most of what is in them, at scales of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(b, d))
    scale = rng.uniform(0.2, 5, (2, 1, d))
    both = scale * (shared + 0.5 * rng.normal(size=(2, b, d))) + rng.normal(size=(2, 1, d))
    return tuple(jnp.asarray(x, jnp.float32) for x in both)


def distance(first, second):
    """One minus the cosine, one example after the other."""
    found = np.ones(len(first))
    for i, (u, v) in enumerate(zip(first, second, strict=True)):
        length = np.sqrt(sum(x * x for x in u) * sum(x * x for x in v))
        if length:
            found[i] = 1 - sum(x * y for x, y in zip(u, v, strict=True)) / length
    return found


def twins(first, second, off_diagonal=0.0051):
    """The sums of the paper, one pair of features after the other."""
    loss = np.zeros(first.shape[1])
    u, v = (x - x.mean(0) for x in (first, second))
    for i, j in np.ndindex(len(loss), len(loss)):
        length = np.sqrt((u[:, i] ** 2).sum() * (v[:, j] ** 2).sum())
        correlation = (u[:, i] * v[:, j]).sum() / length if length else 0.0
        loss[i] += (1 - correlation) ** 2 if i == j else off_diagonal * correlation**2
    return loss


def whitened(x, epsilon=1e-3):
    """Each feature freed of the ones before it by Gram and Schmidt, as QR does.

    The shrinkage is that of further rows: two for each feature, one either way.
    """
    x = x - x.mean(0)
    d = x.shape[1]
    more = np.eye(d) * np.sqrt(epsilon * (x**2).sum() / d / 2)
    rows = np.concatenate([np.sqrt(1 - epsilon) * x, more, -more])
    r = np.linalg.qr(rows)[1]
    r *= np.sign(np.diag(r))[:, None]
    return np.sqrt(len(x) - 1) * x @ np.linalg.inv(r)


def whitened_distance(first, second, epsilon=1e-3):
    return 2 * distance(whitened(first, epsilon), whitened(second, epsilon))


PAIRS = [(cosine_distance, distance), (barlow_twins, twins), (whitening_mse, whitened_distance)]
each_pair = pytest.mark.parametrize(
    ("loss", "reference"), PAIRS, ids=[loss.__name__ for loss, _ in PAIRS]
)
each_loss = pytest.mark.parametrize("loss", [x for x, _ in PAIRS], ids=lambda x: x.__name__)


def exact(*arrays):
    return [np.asarray(x, np.float64) for x in arrays]


@each_pair
@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(1, 4), st.integers(2, 9), st.integers(0, 99))
def test_each_is_its_double_loop_for_any_numbers_of_examples_and_features(
    loss, reference, d, more, seed
):
    given = views(d + more, d, seed)
    found = jax.jit(loss)(*given)
    np.testing.assert_allclose(found, reference(*exact(*given)), rtol=1e-3, atol=1e-5)


@each_pair
def test_its_gradient_is_the_slope_of_the_double_loop_in_either_view(loss, reference):
    given = views()
    share = np.random.default_rng(1).uniform(0.1, 1, len(loss(*given)))
    found = jax.grad(lambda both: (loss(*both) * share).sum())(given)
    for side in (0, 1):
        slopes = np.zeros(given[side].shape)
        for place in np.ndindex(slopes.shape):
            moved = [exact(*given), exact(*given)]
            moved[0][side][place] += 1e-5
            moved[1][side][place] -= 1e-5
            up, down = (reference(*x) for x in moved)
            slopes[place] = ((up - down) * share).sum() / 2e-5
        np.testing.assert_allclose(found[side], slopes, rtol=1e-3, atol=1e-4)
        assert np.abs(slopes).max() > 0.01


def test_the_cosine_distance_is_half_byols_and_one_more_than_simsiams():
    first, second = views()
    u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in exact(first, second))
    found = cosine_distance(first, second)
    np.testing.assert_allclose(2 * found, ((u - v) ** 2).sum(1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found - 1, -(u * v).sum(1), rtol=1e-4, atol=1e-6)


def test_the_cosine_distance_goes_from_none_to_two_and_is_one_at_zero():
    first = jnp.array([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])
    second = jnp.array([[6.0, 8.0], [-3.0, -4.0], [4.0, -3.0], [1.0, 0.0]])
    np.testing.assert_allclose(cosine_distance(first, second), [0, 2, 1, 1], atol=1e-6)


def test_decorrelated_features_that_agree_cost_nothing():
    pattern = jnp.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    np.testing.assert_allclose(barlow_twins(pattern, 3 * pattern + 2), 0, atol=1e-12)
    slope = jax.grad(lambda x: barlow_twins(x, pattern).sum())(pattern)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_features_that_are_all_the_same_cost_their_redundancy():
    same = jnp.repeat(views(d=1)[0], 5, 1)
    np.testing.assert_allclose(barlow_twins(same, same, off_diagonal=0.3), 0.3 * 4, rtol=1e-5)
    np.testing.assert_allclose(barlow_twins(same, -same, off_diagonal=0.3), 4 + 1.2, rtol=1e-5)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e4])
def test_a_constant_feature_correlates_with_none(constant):
    first, second = views(d=3)
    flat = first.at[:, 1].set(constant)
    found = barlow_twins(flat, second.at[:, 1].set(constant))
    kept = [0, 2]
    np.testing.assert_allclose(found[1], 1, rtol=1e-6)
    alone = barlow_twins(first[:, kept], second[:, kept])
    np.testing.assert_allclose(found[jnp.array(kept)], alone, rtol=1e-4)
    slope = jax.grad(lambda x: barlow_twins(x, second).sum())(flat)
    assert np.isfinite(slope).all()


def test_mean_and_scale_of_each_feature_are_free():
    first, second = views()
    moved = first * jnp.array([0.01, 1, 5, 100]) + jnp.array([3.0, -2, 0, 50])
    np.testing.assert_allclose(barlow_twins(moved, second), barlow_twins(first, second), rtol=1e-3)
    found = whitening_mse(first, second, epsilon=0.0)
    np.testing.assert_allclose(
        whitening_mse(moved, second, epsilon=0.0), found, rtol=1e-2, atol=1e-5
    )
    # Shrunk, it is one scale for all.
    np.testing.assert_allclose(
        whitening_mse(70 * first + 3, second), whitening_mse(first, second), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize(("b", "d"), [(5, 4), (12, 4), (200, 16)])
def test_whitened_features_have_no_mean_and_the_identity_for_covariance(b, d):
    x = whiten(views(b, d)[0], epsilon=0.0)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(x, rowvar=False), np.eye(d), atol=2e-3)
    nearly = whiten(views(b, d)[0], epsilon=1e-5)
    np.testing.assert_allclose(nearly, whitened(*exact(views(b, d)[0]), 1e-5), atol=2e-2)


@pytest.mark.parametrize("epsilon", [0.0, 1e-3, 0.5])
def test_whitening_is_gram_and_schmidts(epsilon):
    x = views()[0]
    np.testing.assert_allclose(
        whiten(x, epsilon=epsilon), whitened(*exact(x), epsilon), rtol=1e-3, atol=1e-4
    )


def test_wholly_shrunk_whitening_only_takes_mean_and_common_scale():
    x = views()[0]
    found = whiten(x, epsilon=1.0)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.var(0, ddof=1).mean(), 1, rtol=1e-5)
    ratio = np.asarray(found / (x - x.mean(0)))
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)


def test_views_that_agree_cost_nothing_after_whitening():
    first, _ = views()
    np.testing.assert_allclose(whitening_mse(first, first), 0, atol=1e-5)
    # Nor do they if one mixes features into later ones, which whitening undoes.
    mixed = first @ jnp.array([[1.0, 2, 0, 1], [0, 1, 1, 0], [0, 0, 2, 1], [0, 0, 0, 1]])
    np.testing.assert_allclose(whitening_mse(first, mixed, epsilon=0.0), 0, atol=1e-4)


ROOMS = {
    "nobody else": np.ones((1, 3)),
    "one other": np.eye(2, 3),
    "fewer than features": np.eye(3) + 1,
    "the same": np.full((6, 3), 0.1),
    "the same and large": np.full((6, 3), 1e4 / 3),
    "on a line": np.outer(np.arange(6), [1, 2, 2]),
    "zero": np.zeros((6, 3)),
    "one zero row": np.concatenate(
        [np.zeros((1, 3)), np.random.default_rng(2).normal(size=(5, 3))]
    ),
    "two scales": np.random.default_rng(3).normal(size=(6, 3)) * [1e-4, 1, 1e4],
}


@functools.partial(jax.jit, static_argnums=2)
@functools.partial(jax.value_and_grad, argnums=(0, 1), has_aux=True)
def valued(first, second, loss):
    found = loss(first, second)
    return found.sum(), found


@each_loss
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_each_is_finite_where_there_is_little_to_compare(loss, dtype):
    for room in ROOMS.values():
        first = jnp.asarray(room, dtype)
        other = jnp.asarray(np.random.default_rng(4).normal(size=room.shape), dtype)
        for second in (first, other):
            (_, found), slopes = valued(first, second, loss)
            assert found.dtype == jnp.float32
            assert np.isfinite(found).all() and (found > -1e-5).all()
            assert all(np.isfinite(x.astype(jnp.float32)).all() for x in slopes)


def test_without_any_spread_whitened_rows_are_zero_and_orthogonal():
    for room in ("nobody else", "the same", "the same and large", "zero"):
        x = jnp.asarray(ROOMS[room], jnp.float32)
        assert not whiten(x).any()
        np.testing.assert_allclose(whitening_mse(x, x), 2)


def test_as_few_examples_as_features_are_put_equally_far_apart():
    x = whiten(views(4, 9)[0], epsilon=1e-5)
    for turn in (1, 2, 3):
        apart = distance(*exact(x, jnp.roll(x, turn, 0)))
        np.testing.assert_allclose(apart, 1 + 1 / 3, rtol=1e-2)
