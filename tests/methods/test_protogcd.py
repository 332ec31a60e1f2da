import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import B, K, evidence, label_by, outcome, saying
from traces import batch, softmax, stated

from jaxclr.methods.erm import Supervised
from jaxclr.methods.protogcd import DualLevel, protogcd
from jaxclr.methods.soft import SoftConsistency
from jaxclr.types import Prediction

SAID = [[0.6, 0.3, 0.1], [0.1, 0.85, 0.05], [0.4, 0.2, 0.4], [0.2, 0.3, 0.5]]
"""The likeliest class is 2, 8.5, 1 and 1.67 times as likely as the next."""


def by_hand(one, ratio, temperature):
    """The labels, with images ranked one after another."""
    probabilities = stated(one)
    lead = [np.sort(p)[-1] / np.sort(p)[-2] for p in probabilities]
    ranked = sorted(range(len(lead)), key=lambda e: -lead[e])
    hard = ranked[: int(ratio * len(lead))]
    soft = softmax(np.asarray(one.prediction.logits, np.float64) / temperature)
    return [np.eye(K)[p.argmax()] if e in hard else soft[e] for e, p in enumerate(probabilities)]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(
    ("progress", "start", "ramp", "ratio"),
    [
        (0.0, 0.0, 1.0, 0.0),
        (0.25, 0.0, 1.0, 0.25),
        (0.25, 0.5, 1.0, 0.625),
        (0.125, 0.0, 0.5, 0.25),
        (0.75, 0.2, 0.5, 1.0),
        (0.0, 0.25, 0.5, 0.25),
    ],
)
def test_the_clearest_guesses_are_hard_labels_and_all_others_soft(
    temperature, progress, start, ramp, ratio
):
    for seed in range(3):
        one = batch(seed)._replace(progress=jnp.float32(progress))
        memory, pseudo = DualLevel(start, ramp, temperature).label((), one)
        expected = by_hand(one, ratio, temperature)
        np.testing.assert_allclose(pseudo.probabilities, expected, rtol=1e-5, atol=1e-7)
        assert memory == ()
        assert pseudo.weight.tolist() == [1.0] * B


def hard(said, progress):
    """Which labels are hard."""
    pseudo = label_by(DualLevel(), said, progress=jnp.float32(progress))
    return (pseudo.probabilities.max(1) == 1).tolist()


def test_one_label_after_another_becomes_hard_in_the_order_of_clearness():
    said = saying(SAID)
    assert hard(said, 0.24) == [False] * 4
    assert hard(said, 0.25) == [False, True, False, False]
    assert hard(said, 0.5) == [True, True, False, False]
    assert hard(said, 0.75) == [True, True, False, True]
    assert hard(said, 0.99) == [True, True, False, True]


def test_of_images_that_lead_alike_none_is_hard_unless_there_is_room_for_all():
    logits = jnp.array([[1.0, 0, 0], [0, 1.0, 0], [2.0, 0, 0], [0, 0, 1.0]])
    said = Prediction(logits, logits, logits)
    assert hard(said, 0.25) == [False, False, True, False]
    assert hard(said, 0.75) == [False, False, True, False]
    assert hard(said, 1.0) == [True] * 4


def test_leads_that_no_ratio_can_tell_apart_are_told_apart():
    # Both ratios are infinite in single precision.
    logits = jnp.array([[200.0, 0, 0], [300.0, 0, 0]])
    said = Prediction(logits, logits, logits)
    pseudo = label_by(DualLevel(temperature=200.0), said, progress=jnp.float32(0.5))
    assert (pseudo.probabilities.max(1) == 1).tolist() == [False, True]


def test_labels_and_confidence_are_those_of_the_network():
    pseudo = label_by(DualLevel(), saying(SAID), progress=jnp.float32(0.5))
    assert pseudo.label.tolist() == [0, 1, 0, 2]
    np.testing.assert_allclose(pseudo.confidence, [0.6, 0.85, 0.4, 0.5], rtol=1e-6)


def test_half_precision_is_made_single():
    pseudo = label_by(DualLevel(), saying(SAID, jnp.bfloat16))
    assert {x.dtype for x in pseudo[1:]} == {jnp.dtype(jnp.float32)}


def test_when_all_is_hard_it_is_learned_from_likeliest_classes():
    outputs = outcome()
    said = evidence(outputs.weak, progress=jnp.float32(1.0))
    pseudo = DualLevel().label((), said)[1]
    log_p = np.log(softmax(outputs.strong.logits))
    expected = -2 * np.mean([log_p[e, int(pseudo.label[e])] for e in range(B)])
    value = protogcd().loss(outputs._replace(pseudo=pseudo))[1]["consistency"]
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_its_knobs_arrive_where_they_belong():
    method = protogcd(start=0.2, ramp=0.5, temperature=0.7, unlabeled_weight=2.0, labeled=False)
    assert method.labeler == DualLevel(0.2, 0.5, 0.7)
    assert method.terms == {"supervised": Supervised(), "consistency": SoftConsistency(2.0, False)}
    assert protogcd().labeler == DualLevel(start=0.0, ramp=1.0, temperature=0.5)
