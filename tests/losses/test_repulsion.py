import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import negative_class_contrastive

K, N = 3, 2


def directions(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return np.divide(features, norm, out=np.zeros_like(features), where=norm > 0)


def numerator(z, label, weight, of, temperature, attraction):
    """exp(P / T) of class ``of``: the fixed positive, mixed with the mean real one."""
    total = count = 0.0
    for a in range(len(z)):
        for b in range(len(z)):
            if a != b and label[a] == label[b] == of:
                total += weight[a] * weight[b] * np.exp(z[a] @ z[b] / temperature)
                count += weight[a] * weight[b]
    fixed = np.exp(1 / temperature)
    return (1 - attraction) * fixed + attraction * (total / count if count else fixed)


def reference(
    features, label, domain, weight, *, num_classes=K, num_domains=N, temperature=0.1, attraction=0
):
    """The same table as a loop over classes, domains and pairs, the way the sum is written."""
    z = directions(features)
    loss = np.zeros((num_classes, num_domains))
    exists = np.zeros((num_classes, num_domains), bool)
    for j in range(num_classes):
        positive = numerator(z, label, weight, j, temperature, attraction)
        for i in range(num_domains):
            own = [a for a in range(len(z)) if label[a] == j and weight[a] > 0]
            others = [
                b for b in range(len(z)) if domain[b] == i and label[b] != j and weight[b] > 0
            ]
            exists[j, i] = bool(own and others)
            total = 0.0
            for a in own:
                for b in others:
                    total += weight[a] * weight[b] * np.exp(z[a] @ z[b] / temperature) / positive
            loss[j, i] = np.log1p(total)
    return loss, exists


def samples(b=12, k=K, n=N, d=4, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(size=b) * (rng.uniform(size=b) < 0.8)
    return (
        (rng.normal(size=(b, d)) * rng.uniform(0.1, 9, (b, 1))).astype(np.float32),
        rng.integers(0, k, b),
        rng.integers(0, n, b),
        weight.astype(np.float32),
    )


def table(*given, **settings):
    """The loss and the existence of every pair."""
    arrays = (jnp.asarray(x) for x in given)
    return negative_class_contrastive(*arrays, **{"num_classes": K, "num_domains": N, **settings})


def gradient(features, *rest, share=1.0, **settings):
    """Of the summed table, or of its product with ``share``, by the features."""

    def total(features):
        return (table(features, *rest, **settings)[0] * share).sum()

    return np.asarray(jax.grad(total)(jnp.asarray(features)))


attractions = pytest.mark.parametrize("attraction", [0.0, 0.3, 1.0])


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
    slopes = np.zeros(features.shape)
    for place in np.ndindex(features.shape):
        step = np.zeros(features.shape)
        step[place] = 1e-5
        up, down = (reference(features + s * step, *rest, **how)[0] for s in (1, -1))
        slopes[place] = ((up - down) * share).sum() / 2e-5
    found = gradient(features, *rest, share=share, **how)
    np.testing.assert_allclose(found, slopes, rtol=1e-3, atol=1e-5)
    assert np.abs(slopes).max() > 0.01


@functools.partial(jax.jit, static_argnums=(5, 6))
def traced(features, label, domain, weight, attraction, num_classes, num_domains):
    return negative_class_contrastive(
        features, label, domain, weight,
        num_classes=num_classes, num_domains=num_domains, attraction=attraction,
    )  # fmt: skip


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


def test_an_example_alone_in_its_class_keeps_the_fixed_positive_whatever_its_weight():
    # Optimised, a * a - b is fused and not rounded between: alike squares need not cancel.
    optimised = jax.jit(
        functools.partial(negative_class_contrastive, num_classes=2, num_domains=1, attraction=1.0),
        compiler_options={"xla_backend_optimization_level": 3},
    )
    features, label, domain = np.eye(4, dtype=np.float32)[:2], np.array([0, 1]), np.zeros(2, int)
    for weight in np.random.default_rng(6).uniform(size=(30, 2)).astype(np.float32):
        loss, _ = optimised(features, label, domain, weight)
        np.testing.assert_allclose(
            loss, np.log1p(weight.prod() * np.exp(-10)), rtol=1e-4, atol=1e-8
        )
