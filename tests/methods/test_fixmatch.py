import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import IS_LABELED, B, N, label_by, outcome, prediction, saying, surprise

from jaxclr.errors import InputError
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency, FixedThreshold, fixmatch
from jaxclr.types import Prediction


def guess(probabilities, threshold, dtype=jnp.float32):
    """Pseudo-labels of a network that says these probabilities."""
    return label_by(FixedThreshold(threshold), saying(probabilities, dtype))


def test_a_guess_is_the_likeliest_class_trusted_from_the_threshold_on():
    said = [[0.05, 0.9, 0.05], [0.7, 0.1, 0.2], [0.25, 0.25, 0.5], [0.1, 0.11, 0.79]]
    pseudo = guess(said, 0.75)
    assert pseudo.label.tolist() == [1, 0, 2, 2]
    assert pseudo.weight.tolist() == [1, 0, 0, 1]
    np.testing.assert_allclose(pseudo.confidence, [0.9, 0.7, 0.5, 0.79], rtol=1e-6)
    np.testing.assert_allclose(pseudo.probabilities, said, rtol=1e-5)


def test_a_guess_at_the_threshold_is_trusted_and_a_tie_goes_to_the_first_class():
    # Of two classes alike the softmax is exactly a half.
    logits = jnp.array([[1.0, 1.0, -jnp.inf], [-jnp.inf, 2.0, 2.0], [0.0, -0.01, -jnp.inf]])
    said = Prediction(logits, logits, logits)
    pseudo = label_by(FixedThreshold(0.5), said)
    assert pseudo.label.tolist() == [0, 1, 0]
    assert pseudo.weight.tolist() == [1, 1, 1]
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    stricter = label_by(FixedThreshold(above), said)
    assert stricter.weight.tolist() == [0, 0, 1]


@pytest.mark.parametrize(("threshold", "trusted"), [(0.0, 1), (1.0, 0)])
def test_thresholds_at_the_ends_trust_everybody_or_nobody(threshold, trusted):
    weight = guess([[0.2, 0.5, 0.3], [0.9, 0.06, 0.04]], threshold).weight
    assert weight.tolist() == [trusted, trusted]


def test_half_precision_logits_are_made_probabilities_in_single_precision():
    pseudo = guess([[0.2, 0.5, 0.3], [0.98, 0.01, 0.01]], 0.95, jnp.bfloat16)
    assert {x.dtype for x in pseudo[1:]} == {jnp.dtype(jnp.float32)}
    np.testing.assert_allclose(pseudo.probabilities.sum(1), 1, rtol=1e-6)


def test_consistency_is_the_mean_of_each_domain_summed_over_the_domains():
    outputs = outcome(trusted=[1, 0, 0, 1, 1, 0, 0.5, 0, 0, 1, 1, 0])
    logits, pseudo = np.asarray(outputs.strong.logits), outputs.pseudo
    total = 0.0
    for domain in range(N):
        own = [e for e in range(B) if outputs.domain[e] == domain]
        # The untrusted are in the denominator, the labeled count with their guess.
        kept = [float(pseudo.weight[e]) * surprise(logits[e], int(pseudo.label[e])) for e in own]
        total += sum(kept) / len(own)
    np.testing.assert_allclose(Consistency()(outputs), total, rtol=1e-6)


def test_consistency_may_be_of_unlabeled_images_alone():
    outputs = outcome(trusted=[1, 0, 0, 1, 1, 0, 0.5, 0, 0, 1, 1, 0])
    logits, pseudo = np.asarray(outputs.strong.logits), outputs.pseudo
    own = [e for e in range(B) if not IS_LABELED[e]]
    kept = [float(pseudo.weight[e]) * surprise(logits[e], int(pseudo.label[e])) for e in own]
    value = Consistency(labeled=False)(outputs)
    np.testing.assert_allclose(value, N * sum(kept) / len(own), rtol=1e-6)


def test_without_a_trusted_guess_consistency_is_zero():
    assert Consistency()(outcome(trusted=[0] * B)) == 0


def test_an_untrusted_guess_has_no_gradient_and_a_trusted_one_does():
    trusted = [1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0]
    outputs = outcome(trusted=trusted)

    def value(logits):
        return Consistency()(outputs._replace(strong=outputs.strong._replace(logits=logits)))

    slope = jax.grad(value)(outputs.strong.logits)
    assert (slope != 0).any(1).tolist() == [bool(t) for t in trusted]


def test_consistency_without_guesses_says_what_is_missing():
    with pytest.raises(InputError, match="needs a pass over strong views"):
        Consistency()(outcome()._replace(weak=None, strong=None, pseudo=None))


def test_its_knobs_arrive_where_they_belong():
    method = fixmatch(threshold=0.7, unlabeled_weight=3.0)
    assert method.labeler == FixedThreshold(0.7)
    assert method.terms == {"supervised": Supervised(1.0), "consistency": Consistency(3.0)}
    outputs = outcome()
    loss, terms = method.loss(outputs)
    np.testing.assert_allclose(loss, terms["supervised"] + 3 * terms["consistency"], rtol=1e-6)


def test_the_guess_is_about_the_same_image_row_by_row():
    said = prediction(np.random.default_rng(3), B)
    order = np.random.default_rng(4).permutation(B)
    pseudo = label_by(FixedThreshold(0.5), said)
    moved = label_by(FixedThreshold(0.5), Prediction(*(x[order] for x in said[:3])))
    for found, expected in zip(moved, pseudo, strict=True):
        np.testing.assert_allclose(found, expected[order], rtol=1e-6)
