"""The other readings of FixCLR's equation, and log-sum-exp without a numerator."""

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
    gradient,
    numerators,
    readings,
    reference,
    samples,
    slopes_of_reference,
    table,
    traced,
)

from jaxclr.losses import negative_class_contrastive


def knobs(reading, frozen, attraction=0.0, temperature=0.1):
    return {
        "reading": reading,
        "frozen_numerator": frozen,
        "attraction": attraction,
        "temperature": temperature,
    }


@readings
@numerators
@attractions
@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_each_is_its_double_loop(reading, frozen, attraction, temperature):
    given, how = samples(), knobs(reading, frozen, attraction, temperature)
    loss, exists = table(*given, **how)
    expected, there = reference(*given, **how)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    assert (exists == there).all()


@readings
@numerators
@attractions
def test_each_gradient_is_the_slope_of_its_double_loop(reading, frozen, attraction):
    features, *rest = samples(b=8)
    share = np.random.default_rng(1).uniform(size=(K, N))
    how = knobs(reading, frozen, attraction, temperature=0.3)
    slopes = slopes_of_reference(features, *rest, share=share, **how)
    found = gradient(features, *rest, share=share, **how)
    np.testing.assert_allclose(found, slopes, rtol=1e-3, atol=1e-5)
    assert np.abs(slopes).max() > 0.01


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(
    st.integers(2, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99),
    st.sampled_from(["pairs", "group_means", "anchors"]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_each_is_its_double_loop_for_any_numbers_of_examples_classes_and_domains(
    b, k, n, seed, reading, frozen, attracts
):
    given = samples(b, k, n, seed=seed)
    loss, exists = traced(*given, float(attracts), k, n, reading, frozen)
    expected, there = reference(
        *given, num_classes=k, num_domains=n, attraction=attracts, reading=reading,
        frozen_numerator=frozen,
    )  # fmt: skip
    np.testing.assert_allclose(loss, expected, rtol=1e-3, atol=1e-4)
    assert (exists == there).all()
    assert loss.shape == (k, n)


@readings
@numerators
def test_the_table_follows_renamed_domains_and_classes_but_not_the_order(reading, frozen):
    features, label, domain, weight = samples()
    how = knobs(reading, frozen, attraction=0.3)
    loss, exists = table(features, label, domain, weight, **how)
    domains, classes, order = np.array([1, 0]), np.array([2, 0, 1]), np.arange(12)[::-1]
    given = features, classes[label], domains[domain], weight
    renamed, there = table(*(x[order] for x in given), **how)
    np.testing.assert_allclose(renamed[np.ix_(classes, domains)], loss, rtol=1e-4, atol=1e-6)
    assert (there[np.ix_(classes, domains)] == exists).all()


@attractions
def test_all_are_one_where_each_class_is_one_example_in_each_domain(attraction):
    # One example of each of two classes, in one domain: sums and means are of one thing.
    features = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    given = features, np.array([0, 1]), np.array([0, 0]), np.ones(2, np.float32)
    for frozen, expected in ((True, np.log1p(np.exp(-0.4 / 0.1))), (False, -0.4 / 0.1)):
        for reading in ("pairs", "group_means", "anchors"):
            loss, exists = table(*given, **knobs(reading, frozen, attraction))
            np.testing.assert_allclose(loss[:2, 0], expected, rtol=1e-5)
            assert exists[:2, 0].all()


@readings
@attractions
def test_without_a_numerator_attraction_has_no_effect(reading, attraction):
    given = samples()
    attracted, _ = table(*given, **knobs(reading, False, attraction))
    repelled, _ = table(*given, **knobs(reading, False))
    assert (attracted == repelled).all()


@readings
def test_only_sums_grow_with_the_trust_in_them(reading):
    features, label, domain, weight = samples()
    how = knobs(reading, False, temperature=0.5)
    loss, exists = table(features, label, domain, weight, **how)
    halved, _ = table(features, label, domain, weight / 2, **how)
    # Pairs count with both weights, anchors with those of the others, means with none.
    less = {"pairs": 2, "anchors": 1, "group_means": 0}[reading] * np.log(2)
    np.testing.assert_allclose((loss - halved)[exists], less, atol=1e-5)


@readings
@numerators
def test_an_example_without_weight_might_as_well_not_be_there(reading, frozen):
    given, how = samples(), knobs(reading, frozen, attraction=0.3)
    kept = given[3] > 0
    assert not kept.all()
    loss, exists = table(*given, **how)
    fewer, there = table(*(x[kept] for x in given), **how)
    np.testing.assert_allclose(loss, fewer, rtol=1e-4, atol=1e-6)
    assert (exists == there).all()
    assert not gradient(*given, **how)[~kept].any()


@readings
@numerators
@attractions
def test_nobody_or_one_class_alone_has_nothing_to_repel(reading, frozen, attraction):
    features, label, domain, weight = samples()
    how = knobs(reading, frozen, attraction)
    for rest in ((label, domain, 0 * weight), (np.full_like(label, 1), domain, weight)):
        loss, exists = table(features, *rest, **how)
        assert not loss.any() and not exists.any()
        assert not gradient(features, *rest, **how).any()


@readings
@numerators
def test_an_empty_class_is_zero_beside_the_others(reading, frozen):
    features, label, domain, weight = samples()
    rest, how = (np.where(label == 1, 2, label), domain, weight), knobs(reading, frozen)
    loss, exists = table(features, *rest, **how)
    assert not loss[1].any() and not exists[1].any()
    assert loss[::2].all() and exists[::2].all()
    assert np.isfinite(gradient(features, *rest, **how)).all()


@readings
@numerators
def test_a_zero_row_is_at_cosine_zero_with_a_finite_gradient(reading, frozen):
    features, label, domain, weight = samples()
    features[2], weight[2] = 0, 1
    how = knobs(reading, frozen, attraction=0.3, temperature=0.05)
    loss, _ = table(features, label, domain, weight, **how)
    expected, _ = reference(features, label, domain, weight, **how)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    assert np.isfinite(gradient(features, label, domain, weight, **how)).all()


@readings
@numerators
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("alike", [True, False])
def test_low_temperatures_and_halves_stay_finite(reading, frozen, dtype, alike):
    signs = np.ones(12) if alike else (-1.0) ** np.arange(12)
    features = jnp.asarray(np.outer(signs, [1, 2, 2, 4]), dtype)
    rest = np.array([0, 0, 1, 2] * 3), np.arange(12) % N, np.ones(12, np.float32)
    for temperature in (0.02, 0.05):
        how = knobs(reading, frozen, 1.0, temperature)
        loss, exists = table(features, *rest, **how)
        assert loss.dtype == jnp.float32
        assert np.isfinite(loss).all() and exists.all()
        assert not frozen or (loss >= 0).all()
        assert np.isfinite(gradient(features, *rest, **how).astype(np.float32)).all()


@readings
def test_without_a_numerator_no_sum_is_lost_to_float32(reading):
    # e^-100, the push of opposites at this temperature, is less than float32 can hold.
    features = np.array([[1, 0], [-1, 0], [-1, 0], [0, 1]], np.float32)
    given = features, np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1]), np.full(4, 0.5, np.float32)
    how = knobs(reading, False, temperature=0.02)
    loss, _ = table(*given, **how)
    # Two opposites in domain 0, one example at a right angle in domain 1.
    count = {"pairs": 0.25, "anchors": 0.5, "group_means": 1}[reading]
    many = 1 if reading == "group_means" else 2
    expected = np.log([many * count, count]) - np.array([2, 1]) / 0.02
    np.testing.assert_allclose(loss[0], expected, rtol=1e-5)
    np.testing.assert_allclose(
        gradient(*given, **how), slopes_of_reference(*given, **how), atol=1e-3
    )


@readings
@numerators
def test_many_batches_at_once_are_as_many_by_themselves(reading, frozen):
    batches, how = [samples(seed=seed) for seed in range(3)], knobs(reading, frozen)
    call = functools.partial(negative_class_contrastive, num_classes=K, num_domains=N, **how)
    loss, exists = jax.jit(jax.vmap(call))(*(np.stack(x) for x in zip(*batches, strict=True)))
    for i, batch in enumerate(batches):
        alone, there = table(*batch, **how)
        np.testing.assert_allclose(loss[i], alone, rtol=1e-4, atol=1e-5)
        assert (exists[i] == there).all()
