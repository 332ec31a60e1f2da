import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.losses import cross_entropy


def reference(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The definition, one example after another, in double precision."""
    losses = []
    for row, of in zip(logits.astype(np.float64), label, strict=True):
        probabilities = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        losses.append(-np.log(probabilities[of]))
    return np.array(losses)


def samples(scale: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return (scale * rng.normal(size=(6, 4))).astype(np.float32), rng.integers(0, 4, 6)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_it_is_the_surprise_at_the_label(scale):
    logits, label = samples(scale)
    losses = cross_entropy(jnp.asarray(logits), jnp.asarray(label))
    np.testing.assert_allclose(losses, reference(logits, label), rtol=1e-5, atol=1e-5)
    assert (losses >= 0).all()


def test_a_guess_at_random_costs_the_log_of_the_number_of_classes():
    losses = cross_entropy(jnp.full((3, 7), 2.5), jnp.array([0, 3, 6]))
    np.testing.assert_allclose(losses, np.log(7), rtol=1e-6)


def test_the_gradient_is_what_is_said_less_what_is_true():
    logits, label = samples(1.0)
    gradient = jax.grad(lambda x: cross_entropy(x, jnp.asarray(label)).sum())(jnp.asarray(logits))
    said = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(gradient, said - np.eye(4)[label], atol=1e-6)


def test_huge_logits_give_finite_losses_and_gradients():
    logits = jnp.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    values, pull = jax.vjp(lambda x: cross_entropy(x, jnp.array([0, 0])), logits)
    np.testing.assert_allclose(values, [0, 2e4])
    assert np.isfinite(pull(jnp.ones(2))[0]).all()


def test_half_precision_logits_are_computed_with_in_single_precision():
    logits = jnp.asarray(samples(3.0)[0], jnp.bfloat16)
    label = samples(3.0)[1]
    losses = cross_entropy(logits, jnp.asarray(label))
    assert losses.dtype == jnp.float32
    np.testing.assert_allclose(losses, reference(np.asarray(logits), label), rtol=1e-5)
