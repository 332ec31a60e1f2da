import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import (
    K,
    N,
    attractions,
    directions,
    gradient,
    reference,
    samples,
    slopes_of_reference,
    table,
    traced,
)

from jaxclr.losses import negative_class_contrastive


@attractions
@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_it_is_the_double_loop_over_classes_and_domains(temperature, attraction):
    given, how = samples(), {"temperature": temperature, "attraction": attraction}
    loss, exists = table(*given, **how)
    expected, there = reference(*given, **how)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-6)
    assert (exists == there).all()


@attractions
def test_its_gradient_is_the_slope_of_the_double_loop(attraction):
    features, *rest = samples()
    share = np.random.default_rng(1).uniform(size=(K, N))
    how = {"temperature": 0.3, "attraction": attraction}
    slopes = slopes_of_reference(features, *rest, share=share, **how)
    found = gradient(features, *rest, share=share, **how)
    np.testing.assert_allclose(found, slopes, rtol=1e-3, atol=1e-5)
    assert np.abs(slopes).max() > 0.01


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(2, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_it_is_the_double_loop_for_any_numbers_of_examples_classes_and_domains(
    b, k, n, seed, attracts
):
    given = samples(b, k, n, seed=seed)
    loss, exists = traced(*given, float(attracts), k, n)
    expected, there = reference(*given, num_classes=k, num_domains=n, attraction=attracts)
    np.testing.assert_allclose(loss, expected, rtol=1e-3, atol=1e-5)
    assert (exists == there).all()
    assert loss.shape == (k, n)


@attractions
def test_renamed_domains_and_classes_rename_the_table(attraction):
    features, label, domain, weight = samples()
    loss, exists = table(features, label, domain, weight, attraction=attraction)
    domains, classes = np.array([1, 0]), np.array([2, 0, 1])
    renamed, there = table(features, classes[label], domains[domain], weight, attraction=attraction)
    np.testing.assert_allclose(renamed[np.ix_(classes, domains)], loss, rtol=1e-5)
    assert (there[np.ix_(classes, domains)] == exists).all()


@attractions
def test_the_scale_of_each_feature_vector_is_free(attraction):
    features, *rest = samples()
    scale = np.random.default_rng(3).uniform(0.01, 100, (len(features), 1)).astype(np.float32)
    loss, _ = table(features, *rest, attraction=attraction)
    scaled, _ = table(features * scale, *rest, attraction=attraction)
    np.testing.assert_allclose(scaled, loss, rtol=1e-4, atol=1e-6)
    slope = gradient(features, *rest, attraction=attraction)
    np.testing.assert_allclose((slope * features).sum(1), 0, atol=1e-5)


def strangers_to(own, slope, features, label):
    """How much of an example's gradient lies outside the span of itself and other classes."""
    span = np.concatenate([features[[own]], features[label != label[own]]]).T
    best, *_ = np.linalg.lstsq(span, slope[own], rcond=None)
    return np.abs(span @ best - slope[own]).max()


def test_the_gradient_goes_through_other_classes_only_unless_there_is_attraction():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(6, 8)).astype(np.float32)
    rest = np.array([0, 0, 0, 1, 1, 2]), np.arange(6) % N, np.ones(6, np.float32)
    repelled = gradient(features, *rest, temperature=0.5)
    attracted = gradient(features, *rest, temperature=0.5, attraction=1.0)
    for own in range(5):
        assert np.abs(repelled[own]).max() > 1e-3
        assert strangers_to(own, repelled, features, rest[0]) < 1e-6
        assert strangers_to(own, attracted, features, rest[0]) > 1e-3


def test_each_repelling_pair_pushes_along_the_other_vector():
    features, label, domain, weight = samples(seed=5)
    T, z = 0.5, directions(features)
    loss, _ = reference(features, label, domain, weight, temperature=T)
    push = np.zeros(z.shape)
    for a in range(len(z)):
        for b in range(len(z)):
            if label[a] != label[b]:
                # The pair stands in the sum of a's class over b's domain, and the other way.
                share = np.exp(-loss[label[a], domain[b]]) + np.exp(-loss[label[b], domain[a]])
                push[a] += share * weight[a] * weight[b] * np.exp((z[a] @ z[b] - 1) / T) / T * z[b]
    along = (push * z).sum(1, keepdims=True) * z
    expected = (push - along) / np.linalg.norm(features, axis=1, keepdims=True)
    found = gradient(features, label, domain, weight, temperature=T)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_many_batches_at_once_are_as_many_by_themselves():
    batches = [samples(seed=seed) for seed in range(3)]
    call = functools.partial(
        negative_class_contrastive, num_classes=K, num_domains=N, attraction=0.5
    )
    loss, exists = jax.jit(jax.vmap(call))(
        *(jnp.asarray(np.stack(x)) for x in zip(*batches, strict=True))
    )
    for i, batch in enumerate(batches):
        alone, there = table(*batch, attraction=0.5)
        np.testing.assert_allclose(loss[i], alone, rtol=1e-4, atol=1e-6)
        assert (exists[i] == there).all()
