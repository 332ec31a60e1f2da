import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import B, N, label_by, outcome, saying
from traces import softmax

from jaxclr.methods.fixmatch import FixedThreshold
from jaxclr.methods.uda import Sharpened, uda

STATED = [[0.81, 0.1, 0.09], [0.79, 0.2, 0.01], [0.1, 0.0999, 0.8001], [0.4, 0.3, 0.3]]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.0])
def test_guesses_are_sharpened_by_powers_of_what_is_stated_and_trusted_by_it(temperature):
    pseudo = label_by(Sharpened(temperature=temperature), saying(STATED))
    for p, target in zip(STATED, pseudo.probabilities, strict=True):
        powers = [x ** (1 / temperature) for x in p]
        np.testing.assert_allclose(target, np.array(powers) / sum(powers), rtol=1e-4)
    np.testing.assert_array_equal(pseudo.weight, [1, 0, 1, 0])
    np.testing.assert_array_equal(pseudo.label, [0, 0, 2, 0])
    np.testing.assert_allclose(pseudo.confidence, [0.81, 0.79, 0.8001, 0.4], rtol=1e-5)


def test_at_a_vanishing_temperature_labels_are_those_of_a_fixed_threshold():
    said = outcome().weak
    hard = label_by(FixedThreshold(0.5), said)
    soft = label_by(Sharpened(0.5, 1e-3), said)
    np.testing.assert_array_equal(soft.weight, hard.weight)
    one_hot = np.eye(3)[np.asarray(hard.label)]
    np.testing.assert_allclose(soft.probabilities, one_hot, atol=1e-6)


def test_logits_of_any_size_and_of_half_precision_are_sharpened():
    logits = jnp.asarray([[3e4, -3e4, 0.0], [0.0, 0.0, 0.0]], jnp.bfloat16)
    said = saying(STATED[:2], jnp.bfloat16)._replace(logits=logits)
    pseudo = label_by(Sharpened(), said)
    np.testing.assert_allclose(pseudo.probabilities, [[1, 0, 0], [1 / 3] * 3], atol=1e-6)
    assert pseudo.probabilities.dtype == jnp.float32


def test_the_loss_is_the_cross_entropy_of_strong_views_to_sharpened_trusted_guesses():
    method, outputs = uda(threshold=0.4), outcome()
    outputs = outputs._replace(pseudo=label_by(method.labeler, outputs.weak))
    stated, strong = softmax(outputs.weak.logits), softmax(outputs.strong.logits)
    total = 0.0
    for e in range(B):
        if stated[e].max() >= 0.4:
            target = stated[e] ** 2.5 / (stated[e] ** 2.5).sum()
            total -= sum(target[c] * np.log(strong[e, c]) for c in range(3))
    _, terms = method.loss(outputs)
    np.testing.assert_allclose(terms["consistency"], N * total / B, rtol=1e-4)
    assert method.reads == {"labeled", "pseudo", "strong"}
