import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxclr.models.norm import BatchNorm

B, C = 6, 4
EPSILON = 1e-5


def maps(seed: int = 0) -> np.ndarray:
    """Feature maps whose examples differ in mean and spread, so that groups do."""
    rng = np.random.default_rng(seed)
    spread, mean = rng.uniform(0.5, 3, (B, 1, 1, C)), rng.normal(size=(B, 1, 1, C))
    return (mean + spread * rng.normal(size=(B, 3, 2, C))).astype(np.float32)


def affine() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    return rng.uniform(0.5, 2, C).astype(np.float32), rng.normal(size=C).astype(np.float32)


def layer() -> BatchNorm:
    norm = BatchNorm(C)
    scale, bias = affine()
    norm.scale, norm.bias = nnx.Param(jnp.asarray(scale)), nnx.Param(jnp.asarray(bias))
    return norm


def normalised(x: np.ndarray, mean, var) -> np.ndarray:
    scale, bias = affine()
    return (x - mean) / np.sqrt(var + EPSILON) * scale + bias


def statistics(norm: BatchNorm) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(norm.mean[...]), np.asarray(norm.var[...])


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_each_group_is_normalised_by_itself_group_after_group(groups):
    x = maps()
    expected = np.empty_like(x)
    for group in range(groups):
        own = [e for e in range(B) if e % groups == group]
        values = x[own].astype(np.float64).reshape(-1, C)
        expected[own] = normalised(x[own], values.mean(0), values.var(0))
    found = layer()(jnp.asarray(x), groups=groups, train=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_running_statistics_are_those_of_groups_seen_one_batch_after_another(groups):
    norm, mean, var = layer(), np.zeros(C), np.ones(C)
    for x in (maps(1), maps(2)):
        norm(jnp.asarray(x), groups=groups, train=True)
        for group in range(groups):
            values = x[group::groups].astype(np.float64).reshape(-1, C)
            # torch's words: momentum 0.1, and the unbiased variance.
            mean = (1 - 0.1) * mean + 0.1 * values.mean(0)
            var = (1 - 0.1) * var + 0.1 * values.var(0, ddof=1)
        found = statistics(norm)
        np.testing.assert_allclose(found[0], mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found[1], var, rtol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_momentum_and_epsilon_are_those_given(groups):
    x, mean, var = maps(1), np.zeros(C), np.ones(C)
    norm = BatchNorm(C, momentum=0.7, epsilon=0.5)
    found = norm(jnp.asarray(x), groups=groups, train=True)
    for group in range(groups):
        values = x[group::groups].astype(np.float64).reshape(-1, C)
        expected = (x[group::groups] - values.mean(0)) / np.sqrt(values.var(0) + 0.5)
        np.testing.assert_allclose(found[group::groups], expected, rtol=1e-4, atol=1e-5)
        mean = 0.7 * mean + 0.3 * values.mean(0)
        var = 0.7 * var + 0.3 * values.var(0, ddof=1)
    np.testing.assert_allclose(statistics(norm), (mean, var), rtol=1e-5, atol=1e-6)
    later = norm(jnp.asarray(x), groups=1, train=False)
    np.testing.assert_allclose(later, (x - mean) / np.sqrt(var + 0.5), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 3])
def test_evaluation_normalises_by_running_statistics_and_leaves_them(groups):
    norm, x = layer(), maps(3)
    norm(jnp.asarray(maps(1)), groups=2, train=True)
    mean, var = statistics(norm)
    found = norm(jnp.asarray(x), groups=groups, train=False)
    np.testing.assert_allclose(found, normalised(x, mean, var), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(statistics(norm), (mean, var))


def test_training_does_not_look_at_running_statistics():
    fresh, worn = layer(), layer()
    worn(jnp.asarray(maps(1)), groups=1, train=True)
    x = jnp.asarray(maps(2))
    np.testing.assert_array_equal(fresh(x, groups=2, train=True), worn(x, groups=2, train=True))


def test_fresh_it_changes_nothing_in_evaluation():
    x = jnp.asarray(maps())
    np.testing.assert_allclose(BatchNorm(C)(x, groups=1, train=False), x, rtol=1e-5, atol=1e-6)


def test_what_one_group_sees_does_not_reach_another():
    x = jnp.asarray(maps())
    before = layer()(x, groups=2, train=True)
    after = layer()(x.at[::2].multiply(5.0), groups=2, train=True)
    np.testing.assert_array_equal(before[1::2], after[1::2])
    pooled = layer()(x.at[::2].multiply(5.0), groups=1, train=True)
    assert not np.allclose(before[1::2], pooled[1::2])


@jax.jit
def gradients(x, scale, bias, share):
    def run(x, scale, bias):
        norm = BatchNorm(C)
        norm.scale, norm.bias = nnx.Param(scale), nnx.Param(bias)
        return (norm(x, groups=2, train=True) * share).sum()

    return jax.grad(run, argnums=(0, 1, 2))(x, scale, bias)


def test_its_gradient_is_the_slope_of_groups_normalised_by_themselves():
    x, share = maps().astype(np.float64), np.random.default_rng(5).normal(size=maps().shape)
    given = [x, *(v.astype(np.float64) for v in affine())]

    def value(x, scale, bias):
        total = 0.0
        for group in range(2):
            own = x[group::2]
            mean, var = own.mean((0, 1, 2)), own.var((0, 1, 2))
            out = (own - mean) / np.sqrt(var + EPSILON) * scale + bias
            total += (out * share[group::2]).sum()
        return total

    found = gradients(*(jnp.asarray(v, jnp.float32) for v in (*given, share)))
    for which, slope in enumerate(found):
        for place in list(np.ndindex(slope.shape))[::5]:
            ends = []
            for sign in (1, -1):
                moved = [v.copy() for v in given]
                moved[which][place] += sign * 1e-5
                ends.append(value(*moved))
            np.testing.assert_allclose(
                slope[place], (ends[0] - ends[1]) / 2e-5, rtol=1e-3, atol=1e-4
            )


def test_a_large_mean_does_not_swallow_the_spread():
    # A variance as the mean of squares less the square of the mean would be rounded away.
    x = maps() + 3000
    found = layer()(jnp.asarray(x), groups=2, train=True)
    np.testing.assert_allclose(found, layer()(jnp.asarray(maps()), groups=2, train=True), atol=5e-3)


def test_one_value_alone_has_finite_statistics():
    norm = layer()
    out = norm(jnp.full((2, 1, 1, C), 5.0), groups=2, train=True)
    assert np.isfinite(out).all() and np.isfinite(statistics(norm)).all()


def test_half_precision_maps_have_single_precision_statistics():
    x = jnp.asarray(maps(), jnp.bfloat16)
    norm, exact = layer(), layer()
    out = norm(x, groups=2, train=True)
    assert out.dtype == jnp.bfloat16
    assert {s.dtype for s in statistics(norm)} == {np.dtype(np.float32)}
    single = exact(x.astype(jnp.float32), groups=2, train=True)
    np.testing.assert_array_equal(statistics(norm), statistics(exact))
    np.testing.assert_array_equal(out, single.astype(jnp.bfloat16))
