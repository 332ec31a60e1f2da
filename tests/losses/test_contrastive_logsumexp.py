import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contrasts import energy, slopes
from pairs import directions
from pairs import samples as labeled_samples

from jaxclr.losses import negative_class_contrastive, negative_logsumexp


def samples(b=5, m=7, seed=0):
    """Cosines, and weights of which some are zero."""
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.1, 2, (b, m)) * (rng.uniform(size=(b, m)) < 0.7)
    return rng.uniform(-1, 1, (b, m)).astype(np.float32), weight.astype(np.float32)


def value(cosine, pair_weight, temperature=0.1):
    return negative_logsumexp(
        jnp.asarray(cosine), jnp.asarray(pair_weight), temperature=temperature
    )


def gradient(cosine, pair_weight, temperature=0.1):
    """Of the sum over anchors, by the cosines and by the weights."""

    def total(cosine, pair_weight):
        return value(cosine, pair_weight, temperature).sum()

    return jax.grad(total, argnums=(0, 1))(jnp.asarray(cosine), jnp.asarray(pair_weight))


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.5, 1.0])
def test_it_is_the_logarithm_of_the_weighted_sum(temperature):
    given = samples()
    expected = energy(*given, temperature)
    np.testing.assert_allclose(value(*given, temperature), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_its_gradient_is_the_slope_of_the_weighted_sum(temperature):
    cosine, weight = (x.astype(np.float64) for x in samples(b=3, m=4))
    by_cosine, by_weight = gradient(*samples(b=3, m=4), temperature)
    expected = slopes(lambda moved: energy(moved, weight, temperature).sum(), cosine)
    np.testing.assert_allclose(by_cosine, expected, rtol=1e-3, atol=1e-4)
    expected = slopes(lambda moved: energy(cosine, moved, temperature).sum(), weight, 1e-6)
    kept = weight > 0
    np.testing.assert_allclose(by_weight[kept], expected[kept], rtol=1e-3, atol=1e-4)


def test_weights_count_as_repetitions_do():
    cosine, _ = samples(b=1, m=4)
    times = np.array([2, 0, 1, 3])
    repeated = np.repeat(cosine, times, axis=1)
    found = value(cosine, times[None])
    np.testing.assert_allclose(found, value(repeated, np.ones((1, 6), bool)), rtol=1e-6)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_has_no_weight_reaches_neither_value_nor_gradient(poison):
    cosine, weight = samples()
    spoiled = np.where(weight > 0, cosine, poison).astype(np.float32)
    np.testing.assert_array_equal(value(spoiled, weight), value(cosine, weight))
    np.testing.assert_array_equal(gradient(spoiled, weight), gradient(cosine, weight))
    assert not gradient(spoiled, weight)[0][weight == 0].any()


@pytest.mark.parametrize("temperature", [0.02, 1.0])
def test_an_anchor_without_weights_has_the_value_zero_with_zero_gradient(temperature):
    cosine, weight = samples()
    weight[1] = 0
    found = value(cosine, weight, temperature)
    np.testing.assert_allclose(found, energy(cosine, weight, temperature), rtol=1e-5, atol=1e-6)
    assert found[1] == 0
    # Not even on the way, where a later zero would hide it, is there a NaN.
    with jax.debug_nans(True):
        found = gradient(cosine, weight, temperature)
    for slope in found:
        assert np.isfinite(slope).all()
        assert not slope[1].any() and slope[0].any()


@pytest.mark.parametrize("weight", [1e-45, 1e-39, 1e-37, 1e-20])
def test_the_least_weights_stay_finite(weight):
    cosine, alone = np.array([[1.0, -1.0]], np.float32), np.array([[weight, 0.0]], np.float32)
    with_another = np.array([[weight, 1.0]], np.float32)
    for temperature in (0.02, 1.0):
        for given in (alone, with_another):
            assert np.isfinite(value(cosine, given, temperature)).all()
            assert all(np.isfinite(x).all() for x in gradient(cosine, given, temperature))
        # Below the least normal number, which some machines take for zero, it is left out.
        seen = 1 / temperature + np.log(weight) if weight > 1e-38 else -np.inf
        expected = np.logaddexp(seen, -1 / temperature)
        found = value(cosine, with_another, temperature)
        np.testing.assert_allclose(found, [expected], rtol=1e-5)


def test_soft_class_masks_of_certain_classes_are_the_filter_of_fixclr():
    features, label, domain, _ = labeled_samples()
    z, T = directions(features).astype(np.float32), 0.2
    certain = np.eye(3, dtype=np.float32)[label]
    energies = value(z @ z.T, 1 - certain @ certain.T, T)
    loss, exists = negative_class_contrastive(
        jnp.asarray(features), jnp.asarray(label), jnp.zeros_like(domain), jnp.ones(len(label)),
        num_classes=3, num_domains=1, temperature=T,
    )  # fmt: skip
    # Over one domain its sum of a class is that of its anchors, under a positive of cosine 1.
    for j in range(3):
        expected = np.log1p(sum(np.exp(energies[label == j] - 1 / T)))
        np.testing.assert_allclose(loss[j, 0], expected, rtol=1e-4)
    assert exists.all()
