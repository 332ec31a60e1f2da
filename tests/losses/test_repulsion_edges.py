import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pairs import K, N, attractions, gradient, reference, samples, table, traced

from jaxclr.losses import negative_class_contrastive


@attractions
def test_one_class_alone_has_nothing_to_repel(attraction):
    features, label, domain, _ = samples()
    alone = (np.full_like(label, 1), domain, np.ones(len(label), np.float32))
    loss, exists = table(features, *alone, attraction=attraction)
    assert not loss.any() and not exists.any()
    assert not gradient(features, *alone, attraction=attraction).any()


@attractions
def test_without_a_trusted_example_all_is_zero(attraction):
    features, label, domain, weight = samples()
    loss, exists = table(features, label, domain, 0 * weight, attraction=attraction)
    assert not loss.any() and not exists.any()
    assert not gradient(features, label, domain, 0 * weight, attraction=attraction).any()


@attractions
def test_an_example_without_weight_might_as_well_not_be_there(attraction):
    given = samples()
    kept = given[3] > 0
    assert not kept.all()
    loss, exists = table(*given, attraction=attraction)
    fewer, there = table(*(x[kept] for x in given), attraction=attraction)
    np.testing.assert_allclose(loss, fewer, rtol=1e-5)
    assert (exists == there).all()
    assert not gradient(*given, attraction=attraction)[~kept].any()


def test_half_an_example_twice_is_one_example():
    features, label, domain, _ = samples()
    whole, half = np.ones(len(label), np.float32), np.full(2 * len(label), 0.5, np.float32)
    loss, _ = table(features, label, domain, whole)
    twice, _ = table(*(np.concatenate([x, x]) for x in (features, label, domain)), half)
    np.testing.assert_allclose(twice, loss, rtol=1e-5)


def test_trusting_everybody_the_log_counts_pairs_of_orthogonal_classes():
    # Two examples of each of three classes, one per domain: 2 x 2 repelling pairs at cosine 0.
    features = np.repeat(np.eye(3, dtype=np.float32), 2, 0)
    label, domain = np.repeat(np.arange(3), 2), np.tile(np.arange(2), 3)
    loss, exists = table(features, label, domain, np.ones(6, np.float32), temperature=0.5)
    np.testing.assert_allclose(loss, np.log(1 + 4 * np.exp(-1 / 0.5)), rtol=1e-6)
    assert exists.all()


def test_a_pair_needs_its_class_anywhere_and_another_class_in_its_domain():
    label, domain = np.array([0, 1, 1]), np.array([0, 0, 1])
    _, exists = table(np.eye(3, dtype=np.float32), label, domain, np.ones(3, np.float32))
    assert exists.tolist() == [[True, True], [True, False], [False, False]]


@attractions
def test_a_zero_row_is_at_cosine_zero_with_a_finite_gradient(attraction):
    features, label, domain, weight = samples()
    features[2], weight[2] = 0, 1
    how = {"temperature": 0.05, "attraction": attraction}
    loss, _ = table(features, label, domain, weight, **how)
    expected, _ = reference(features, label, domain, weight, **how)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-6)
    assert np.isfinite(gradient(features, label, domain, weight, **how)).all()


ROOMS = {
    "anything": samples()[0],
    "the same": np.ones((12, 4), np.float32),
    "opposite": np.outer((-1.0) ** np.arange(12), [1, 2, 2, 4]).astype(np.float32),
    "orthogonal": np.tile(np.eye(4, dtype=np.float32), (3, 1)),
    "zero": np.zeros((12, 4), np.float32),
}


@attractions
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("room", ROOMS)
def test_low_temperatures_stay_finite_and_never_negative(room, dtype, attraction):
    features = jnp.asarray(ROOMS[room], dtype)
    # Class 0 holds examples of either sign: its real positive is as small as can be.
    rest = np.array([0, 0, 1, 2] * 3), np.arange(12) % N, np.ones(12, np.float32)
    for temperature in (0.02, 0.05):
        how = {"temperature": temperature, "attraction": attraction}
        loss, exists = table(features, *rest, **how)
        assert loss.dtype == jnp.float32
        assert np.isfinite(loss).all() and (loss >= 0).all() and exists.all()
        assert np.isfinite(gradient(features, *rest, **how).astype(np.float32)).all()


@pytest.mark.parametrize("temperature", [0.05, 0.1])
def test_full_attraction_is_exact_where_the_class_is_far_from_itself(temperature):
    features = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0, 1], [1, 0, 1]], np.float32)
    given = features, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.ones(4, np.float32)
    how = {"temperature": temperature, "attraction": 1.0}
    np.testing.assert_allclose(table(*given, **how)[0], reference(*given, **how)[0], rtol=1e-4)


def test_attraction_may_be_traced():
    given = samples()
    for attraction in (0.0, 0.3):
        loss, _ = traced(*given, attraction, K, N)
        np.testing.assert_allclose(loss, table(*given, attraction=attraction)[0], rtol=1e-5)


def test_an_example_alone_in_its_class_keeps_the_fixed_positive_whatever_its_weight():
    # Optimised, a * a - b is fused and not rounded between: alike squares need not cancel.
    optimised = jax.jit(
        functools.partial(negative_class_contrastive, num_classes=2, num_domains=1, attraction=1.0),
        compiler_options={"xla_backend_optimization_level": 3},
    )
    features, label, domain = np.eye(4, dtype=np.float32)[:2], np.array([0, 1]), np.zeros(2, int)
    for weight in np.random.default_rng(6).uniform(size=(30, 2)).astype(np.float32):
        loss, _ = optimised(features, label, domain, weight)
        np.testing.assert_allclose(loss, np.log1p(weight.prod() * np.exp(-5)), rtol=1e-4, atol=1e-8)
