import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from contrasts import VIEW_LOSSES, each_view_loss, slopes
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import directions

from jaxclr.losses import mv_dhel, negative_logsumexp, nt_xent


def samples(b=6, d=4, seed=0):
    """Two views of each image, of any length, near to each other."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(b, d))
    second = first + 0.7 * rng.normal(size=(b, d))
    scale = rng.uniform(0.1, 9, (2, b, 1))
    return (first * scale[0]).astype(np.float32), (second * scale[1]).astype(np.float32)


@each_view_loss
@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.5, 1.0])
def test_it_is_the_double_loop_over_images_and_views(loss, reference, temperature):
    views = samples()
    found = loss(*views, temperature=temperature)
    np.testing.assert_allclose(found, reference(*views, temperature), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
def test_it_is_the_double_loop_for_any_numbers_of_images_and_features(b, d, seed):
    views = samples(b, d, seed)
    for loss, reference in VIEW_LOSSES.values():
        found = loss(*views)
        assert found.shape == (b,)
        np.testing.assert_allclose(found, reference(*views, 0.5), rtol=1e-4, atol=1e-5)


@each_view_loss
@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_its_gradient_is_the_slope_of_the_double_loop(loss, reference, temperature):
    views = samples(b=4, d=3)
    share = np.random.default_rng(1).uniform(size=4)

    def total(first, second):
        return (loss(first, second, temperature=temperature) * share).sum()

    found = jax.grad(total, argnums=(0, 1))(*views)
    for own in range(2):

        def wiggled(view, own=own):
            pair = [view if i == own else views[i].astype(np.float64) for i in range(2)]
            return (reference(*pair, temperature) * share).sum()

        expected = slopes(wiggled, views[own].astype(np.float64))
        np.testing.assert_allclose(found[own], expected, rtol=1e-3, atol=1e-4)
        assert np.abs(expected).max() > 0.01


def coupled_gradient(first, second, temperature, coupled):
    """The sum of DCL's Proposition 1 over all anchors, with its coupling or with 1 in its place."""
    z, T = [directions(first), directions(second)], temperature
    push = [np.zeros(view.shape) for view in z]
    for i in range(len(first)):
        for k in range(2):
            anchor, positive = z[k][i], z[1 - k][i]
            others = [(j, v) for j in range(len(first)) if j != i for v in range(2)]
            negative = sum(np.exp(anchor @ z[v][j] / T) for j, v in others)
            best = np.exp(anchor @ positive / T)
            q = 1 - best / (best + negative) if coupled else 1.0
            push[k][i] -= q / T * positive
            push[1 - k][i] -= q / T * anchor
            for j, v in others:
                share = np.exp(anchor @ z[v][j] / T) / negative
                push[k][i] += q / T * share * z[v][j]
                push[v][j] += q / T * share * anchor
    # An image's loss is the mean of its two anchors; features are longer than their directions.
    return [
        (p - (p * v).sum(1, keepdims=True) * v) / 2 / np.linalg.norm(x, axis=1, keepdims=True)
        for p, v, x in zip(push, z, (first, second), strict=True)
    ]


@pytest.mark.parametrize("temperature", [0.2, 0.5])
@pytest.mark.parametrize("coupled", [True, False])
def test_decoupling_takes_the_coupling_out_of_the_papers_gradient(coupled, temperature):
    views = samples(seed=2)

    def total(first, second):
        return nt_xent(first, second, temperature=temperature, decoupled=not coupled).sum()

    found = jax.grad(total, argnums=(0, 1))(*views)
    expected = coupled_gradient(*views, temperature, coupled)
    for view in range(2):
        np.testing.assert_allclose(found[view], expected[view], rtol=1e-3, atol=1e-5)
        assert np.abs(expected[view]).max() > 0.01


def test_an_anchors_gradient_is_the_decoupled_one_times_the_chance_of_another_image():
    rng, T = np.random.default_rng(3), 0.3
    cosine = rng.uniform(-1, 1, (5, 7)).astype(np.float32)
    rest = np.arange(7) > 0

    def gradient(pair_weight):
        def total(cosine):
            repulsion = negative_logsumexp(cosine, pair_weight, temperature=T)
            return (repulsion - cosine[:, 0] / T).sum()

        return np.asarray(jax.grad(total)(jnp.asarray(cosine)))

    coupled = gradient(jnp.ones((5, 7), bool))
    decoupled = gradient(jnp.asarray(np.tile(rest, (5, 1))))
    chances = np.exp(cosine / T) / np.exp(cosine / T).sum(1, keepdims=True)
    np.testing.assert_allclose(coupled, (1 - chances[:, :1]) * decoupled, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(decoupled[:, 0], -1 / T, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_nt_xent_is_that_of_another_library(temperature):
    views = samples(seed=4)
    image = jnp.tile(jnp.arange(6), 2)
    anchors = optax.losses.ntxent(jnp.concatenate(views), image, temperature)
    found = nt_xent(*map(jnp.asarray, views), temperature=temperature)
    np.testing.assert_allclose(found.mean(), anchors, rtol=1e-4, atol=1e-6)


@each_view_loss
def test_views_may_be_swapped(loss, reference):
    first, second = samples()
    np.testing.assert_allclose(loss(second, first), loss(first, second), rtol=1e-5, atol=1e-6)


@each_view_loss
def test_the_order_of_images_moves_their_losses(loss, reference):
    first, second = samples()
    order = np.random.default_rng(5).permutation(len(first))
    found = loss(first[order], second[order])
    np.testing.assert_allclose(found, loss(first, second)[order], rtol=1e-5, atol=1e-6)
    assert np.abs(loss(first, second[order]) - loss(first, second)).max() > 0.1


@each_view_loss
def test_the_length_of_each_vector_is_free(loss, reference):
    first, second = samples()
    scale = np.random.default_rng(6).uniform(0.01, 100, (len(first), 1)).astype(np.float32)
    found = loss(scale * first, second / scale)
    np.testing.assert_allclose(found, loss(first, second), rtol=1e-4, atol=1e-6)


def test_mv_dhel_compares_no_two_images_across_views():
    first, second = samples()
    turn, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(4, 4)))
    turned = second @ turn.astype(np.float32)
    # Energies do not feel a rotation of one view; the alignment of an image does.
    aligned, askew = ((directions(first) * directions(x)).sum(1) / 0.5 for x in (second, turned))
    found = mv_dhel(*map(jnp.asarray, (first, turned)))
    kept = mv_dhel(*map(jnp.asarray, (first, second)))
    np.testing.assert_allclose(found + askew, kept + aligned, rtol=1e-5, atol=1e-6)
