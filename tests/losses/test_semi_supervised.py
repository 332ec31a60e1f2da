import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from contrasts import by_label, slopes, ssc, supcon, with_prototypes
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import masked_mean, nt_xent

temperatures = pytest.mark.parametrize("temperature", [0.05, 0.1, 0.5, 1.0])


def samples(b=9, k=3, d=4, seed=0):
    """Two thirds have a class; of the rest, two and two share a label of their own."""
    rng = np.random.default_rng(seed)
    label = np.where(np.arange(b) % 3 == 2, k + np.arange(b) // 6, rng.integers(0, k, b))
    return (
        (rng.normal(size=(b, d)) * rng.uniform(0.1, 9, (b, 1))).astype(np.float32),
        label,
        np.where(label < k, rng.uniform(0.3, 1, b), 0.2).astype(np.float32),
        (rng.normal(size=(k, d)) * rng.uniform(0.1, 9, (k, 1))).astype(np.float32),
    )


def partly(weight):
    """Every fourth example is not relied upon."""
    return np.where(np.arange(len(weight)) % 4 == 1, 0, weight).astype(np.float32)


@temperatures
@pytest.mark.parametrize("soft", [True, False])
def test_supcon_is_the_double_loop_over_anchors_and_positives(soft, temperature):
    embedding, label, weight, _ = samples()
    weight = partly(weight if soft else np.ones(9))
    loss, counts = supcon(embedding, label, weight, temperature=temperature)
    expected, there = by_label(embedding, label, weight, temperature)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(counts, there)
    assert 0 < counts.sum() < 9


@temperatures
def test_ssc_is_the_double_loop_over_examples_and_prototypes(temperature):
    given = samples()
    loss, counts = ssc(*given, temperature=temperature)
    expected, there = with_prototypes(*given, temperature)
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(counts, there)
    assert 0 < counts.sum() < 12


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(1, 10), st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
def test_both_are_their_loops_for_any_numbers_of_examples_classes_and_features(b, k, d, seed):
    embedding, label, weight, prototypes = samples(b, k, d, seed)
    for found, expected in (
        (supcon(embedding, label, partly(weight)), by_label(embedding, label, partly(weight), 0.1)),
        (
            ssc(embedding, label, weight, prototypes),
            with_prototypes(embedding, label, weight, prototypes, 0.1),
        ),
    ):
        assert found[0].shape == found[1].shape == expected[0].shape
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=2e-5)
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_the_gradient_of_supcon_is_the_slope_of_the_double_loop(temperature):
    embedding, label, weight, _ = samples(b=7, d=3)
    weight, share = partly(weight), np.random.default_rng(1).uniform(size=7)

    def total(embedding):
        return (supcon(embedding, label, weight, temperature=temperature)[0] * share).sum()

    def wiggled(embedding):
        return (by_label(embedding, label, weight, temperature)[0] * share).sum()

    found = jax.grad(total)(embedding)
    expected = slopes(wiggled, embedding.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert np.abs(expected).max() > 0.1
    assert not found[weight == 0].any()


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_the_gradient_of_ssc_is_the_slope_of_the_double_loop(temperature):
    given = samples(b=6, k=2, d=3)
    share = np.random.default_rng(2).uniform(size=8)

    def total(embedding, label, weight, prototypes):
        loss, _ = ssc(embedding, label, weight, prototypes, temperature=temperature)
        return (loss * share).sum()

    found = jax.grad(total, argnums=(0, 2, 3))(*given)
    for own, slope in zip((0, 2, 3), found, strict=True):

        def wiggled(moved, own=own):
            inputs = [moved if i == own else given[i] for i in range(4)]
            return (with_prototypes(*inputs, temperature)[0] * share).sum()

        expected = slopes(wiggled, given[own].astype(np.float64))
        np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-3)
        assert np.abs(expected).max() > 0.1


def test_the_mean_over_what_counts_is_the_whole_loss_of_the_paper():
    embedding, label, weight, prototypes = samples()
    z = np.concatenate([embedding, prototypes]).astype(np.float64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    labels, weights = np.append(label, np.arange(3)), np.append(weight, np.ones(3))
    apart = ~np.eye(12, dtype=bool)
    kernel = np.exp(z @ z.T / 0.1) * apart
    logs = np.log(kernel / kernel.sum(1, keepdims=True), where=apart, out=np.zeros((12, 12)))
    positive = (labels[:, None] == labels) & apart
    anchors = positive.any(1)
    each = -(logs * positive).sum(1)[anchors] / positive.sum(1)[anchors]
    expected = (weights[anchors] * 12 / weights.sum() * each).mean()
    np.testing.assert_allclose(masked_mean(*ssc(*samples())), expected, rtol=1e-5)


def test_an_anchor_alone_with_the_prototypes_has_the_cross_entropy_of_its_cosines():
    rng = np.random.default_rng(3)
    z, prototypes = rng.normal(size=(5, 4)), rng.normal(size=(3, 4))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    label = rng.integers(0, 3, 5)
    z, prototypes = jnp.asarray(z, jnp.float32), jnp.asarray(prototypes, jnp.float32)
    alone = jax.vmap(lambda row, own: ssc(row[None], own[None], jnp.ones(1), prototypes,
                                          temperature=1.0))  # fmt: skip
    loss, counts = alone(z, jnp.asarray(label))
    expected = optax.softmax_cross_entropy_with_integer_labels(z @ prototypes.T, label)
    # Its weight is 1 of 1 on average: the scale is 1.
    np.testing.assert_allclose(loss[:, 0], expected, rtol=1e-5)
    assert (counts[:, 0] == 1).all()


def test_supcon_whose_labels_are_images_is_nt_xent():
    first, second = np.random.default_rng(4).normal(size=(2, 6, 4)).astype(np.float32)
    image = np.tile(np.arange(6), 2)
    loss, counts = supcon(np.concatenate([first, second]), image, np.ones(12, np.float32))
    found = nt_xent(jnp.asarray(first), jnp.asarray(second), temperature=0.1)
    np.testing.assert_allclose(loss.reshape(2, 6).mean(0), found, rtol=1e-5)
    assert counts.all()


def test_renamed_classes_rename_the_prototypes():
    embedding, label, weight, prototypes = samples()
    names, order = np.array([2, 0, 1, 3, 4]), np.array([1, 2, 0])
    loss, counts = ssc(embedding, label, weight, prototypes)
    renamed, there = ssc(embedding, names[label], weight, prototypes[order])
    moved = np.concatenate([np.arange(9), 9 + order])
    np.testing.assert_allclose(renamed, loss[moved], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(there, counts[moved])


def test_labels_that_are_no_class_only_tell_images_apart():
    embedding, label, weight, prototypes = samples()
    names = np.array([0, 1, 2, 2**31 - 1, 77_000])
    loss, counts = ssc(embedding, names[label], weight, prototypes)
    np.testing.assert_array_equal((loss, counts), ssc(embedding, label, weight, prototypes))
    names = np.array([-5, 2**31 - 1, 9, 7, 0])
    loss, counts = supcon(embedding, names[label], weight)
    np.testing.assert_array_equal((loss, counts), supcon(embedding, label, weight))


def test_the_scale_of_each_vector_is_free():
    embedding, label, weight, prototypes = samples()
    scale = np.random.default_rng(5).uniform(0.01, 100, (12, 1)).astype(np.float32)
    scaled = embedding * scale[:9], label, weight, prototypes * scale[9:]
    for loss, count in ((ssc, 4), (supcon, 3)):
        found, expected = loss(*scaled[:count])[0], loss(*samples()[:count])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
