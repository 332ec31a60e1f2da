import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import (
    cross_entropy,
    negative_learning,
    probability_distance,
    soft_cross_entropy,
)


def probabilities(row: np.ndarray) -> np.ndarray:
    return np.exp(row - row.max()) / np.exp(row - row.max()).sum()


def reference(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The definition, one example after another, in double precision."""
    rows = zip(logits.astype(np.float64), label, strict=True)
    return np.array([-np.log(probabilities(row)[of]) for row, of in rows])


def what_it_is_not(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Negative learning by its definition; 1 - p is the sum of the others, for its digits."""
    losses = []
    for row, of in zip(logits.astype(np.float64), label, strict=True):
        p = probabilities(row)
        others = [c for c in range(len(row)) if c != of]
        losses.append(-sum(np.log(np.delete(p, c).sum()) for c in others))
    return np.array(losses, np.float64)


def between(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Cross-entropy of distributions by its definition."""
    rows = zip(logits.astype(np.float64), target, strict=True)
    return np.array(
        [-sum(t * np.log(p) for t, p in zip(to, probabilities(x), strict=True)) for x, to in rows]
    )


def slopes(function, logits: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Finite differences of the summed losses, in double precision."""
    found = np.zeros(logits.shape)
    for place in np.ndindex(logits.shape):
        step = np.zeros(logits.shape)
        step[place] = 1e-5
        found[place] = (function(logits + step, of) - function(logits - step, of)).sum() / 2e-5
    return found


def gradient(loss, logits, of) -> np.ndarray:
    return np.asarray(jax.grad(lambda x: loss(x, jnp.asarray(of)).sum())(jnp.asarray(logits)))


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


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_negative_learning_is_the_surprise_at_being_no_other_class(scale):
    logits, label = samples(scale)
    losses = negative_learning(jnp.asarray(logits), jnp.asarray(label))
    np.testing.assert_allclose(losses, what_it_is_not(logits, label), rtol=1e-5, atol=1e-6)
    assert (losses >= 0).all()
    found = gradient(negative_learning, logits, label)
    np.testing.assert_allclose(found, slopes(what_it_is_not, logits, label), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.integers(0, 5), st.integers(1, 6), st.integers(0, 99))
def test_negative_learning_is_its_definition_for_any_numbers_of_examples_and_classes(b, k, seed):
    rng = np.random.default_rng(seed)
    logits, label = rng.normal(size=(b, k)).astype(np.float32) * 9, rng.integers(0, k, b)
    losses = negative_learning(jnp.asarray(logits), jnp.asarray(label))
    np.testing.assert_allclose(losses, what_it_is_not(logits, label), rtol=1e-4, atol=1e-5)
    assert losses.shape == (b,)


def test_one_class_alone_leaves_nothing_that_it_is_not():
    logits, label = jnp.array([[3.0], [-1e4]]), [0, 0]
    assert not negative_learning(logits, jnp.array(label)).any()
    assert not gradient(negative_learning, logits, label).any()


def test_of_two_classes_not_the_one_is_the_other():
    logits, label = jnp.asarray(samples(3.0)[0][:, :2]), jnp.asarray(samples(3.0)[1] % 2)
    np.testing.assert_allclose(
        negative_learning(logits, label), cross_entropy(logits, label), rtol=1e-5, atol=1e-6
    )


def test_an_undecided_guess_is_each_other_class_by_one_chance_in_all():
    losses = negative_learning(jnp.full((3, 7), 2.5), jnp.array([0, 3, 6]))
    np.testing.assert_allclose(losses, -6 * np.log(1 - 1 / 7), rtol=1e-6)


def test_negative_learning_of_huge_logits_is_the_lead_of_the_wrong_class():
    logits = jnp.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, 1e4, 0.0]])
    # In order: right; wrong by 1e4 over the next; a tie, whose wrong half costs log 2.
    np.testing.assert_allclose(
        negative_learning(logits, jnp.array([0, 0, 0])), [0, 1e4, np.log(2)], rtol=1e-6
    )
    pulls = gradient(negative_learning, logits, [0, 0, 0])
    np.testing.assert_allclose(pulls, [[0, 0, 0], [0, 1, -1], [-0.5, 0.5, 0]], atol=1e-6)


def targets(logits: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(logits.shape[1]), len(logits))


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_soft_cross_entropy_is_the_mean_surprise_at_a_draw_of_the_target(scale):
    logits, _ = samples(scale)
    target = targets(logits).astype(np.float32)
    losses = soft_cross_entropy(jnp.asarray(logits), jnp.asarray(target))
    np.testing.assert_allclose(losses, between(logits, target), rtol=1e-5)
    assert (losses >= -(target * np.log(target)).sum(1) - 1e-6).all()
    found = gradient(soft_cross_entropy, logits, target)
    np.testing.assert_allclose(found, slopes(between, logits, target), rtol=1e-4, atol=1e-5)


def test_soft_cross_entropy_to_one_class_is_cross_entropy():
    logits, label = samples(3.0)
    to_one = soft_cross_entropy(jnp.asarray(logits), jnp.eye(4)[label])
    hard = cross_entropy(jnp.asarray(logits), jnp.asarray(label))
    np.testing.assert_allclose(to_one, hard, rtol=1e-6, atol=1e-6)


def test_soft_cross_entropy_is_least_where_the_guess_is_the_target():
    target = targets(samples(1.0)[0]).astype(np.float32)
    losses = soft_cross_entropy(jnp.log(target), jnp.asarray(target))
    np.testing.assert_allclose(losses, -(target * np.log(target)).sum(1), rtol=1e-5)
    assert np.abs(gradient(soft_cross_entropy, np.log(target), target)).max() < 1e-6


def test_soft_cross_entropy_of_huge_logits_is_finite_and_of_no_target_zero():
    logits = jnp.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    target = jnp.array([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(soft_cross_entropy(logits, target), [1e4, 0])
    assert np.isfinite(gradient(soft_cross_entropy, logits, target)).all()


def test_halves_are_computed_with_in_single_precision_for_negative_and_soft_labels_too():
    logits = jnp.asarray(samples(3.0)[0], jnp.bfloat16)
    single, label = np.asarray(logits, np.float32), samples(3.0)[1]
    target = jnp.asarray(targets(single), jnp.bfloat16)
    negative = negative_learning(logits, jnp.asarray(label))
    soft = soft_cross_entropy(logits, target)
    assert negative.dtype == soft.dtype == jnp.float32
    np.testing.assert_allclose(negative, what_it_is_not(single, label), rtol=1e-5)
    np.testing.assert_allclose(soft, between(single, np.asarray(target, np.float32)), rtol=1e-5)


def test_distance_of_probabilities_is_the_mean_square_class_by_class():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(5, 4)), rng.dirichlet(np.ones(4), 5)
    found = probability_distance(jnp.asarray(logits), jnp.asarray(target))
    for a in range(5):
        p = np.exp(logits[a]) / np.exp(logits[a]).sum()
        np.testing.assert_allclose(
            found[a], sum((p[c] - target[a, c]) ** 2 for c in range(4)) / 4, rtol=1e-4
        )


def test_distance_of_probabilities_is_at_most_two_over_k_and_flat_where_both_are_sure():
    sure, other = jnp.array([[100.0, 0.0]]), jnp.array([[0.0, 1.0]])
    assert probability_distance(sure, other) == 1
    assert not jax.grad(lambda x: probability_distance(x, other).sum())(sure).any()
