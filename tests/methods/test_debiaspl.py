import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import IS_LABELED, SIZES, B, K, N, outcome, saying, surprise
from traces import batch, softmax, stated, trace, unlabeled_of, weighed

from jaxclr.errors import InputError
from jaxclr.methods.debiaspl import AdaptiveMargin, DebiasedThreshold, Leaning, debiaspl
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency, FixedThreshold

LEANING = Leaning(jnp.array([0.7, 0.2, 0.1]))


def by_hand(batches, threshold, strength, decay):
    """What is leaned to after, and guessed before, each update."""
    share = np.full(K, 1 / K)
    for one in batches:
        debiased = softmax(one.prediction.logits - strength * np.log(share))
        now = np.mean([stated(one)[e] for e in unlabeled_of(one)], axis=0)
        share = decay * share + (1 - decay) * now
        yield share, debiased, [float(p.max() >= threshold) for p in debiased]


@pytest.mark.parametrize(
    ("threshold", "strength", "decay"), [(0.95, 0.4, 0.999), (0.7, 1.5, 0.5), (0.7, 0.0, 0.5)]
)
def test_memory_and_guesses_are_those_of_the_formulas_by_hand(threshold, strength, decay):
    batches = [batch(seed, lean=(1.5, 0.0, -1.5)) for seed in range(4)]
    labeler = DebiasedThreshold(threshold, strength, decay)
    expected = by_hand(batches, threshold, strength, decay)
    for (memory, pseudo), (share, debiased, trusted) in zip(
        trace(labeler, batches), expected, strict=True
    ):
        np.testing.assert_allclose(memory.share, share, rtol=1e-5)
        np.testing.assert_allclose(pseudo.probabilities, debiased, rtol=1e-4)
        np.testing.assert_allclose(pseudo.confidence, debiased.max(1), rtol=1e-4)
        assert pseudo.label.tolist() == debiased.argmax(1).tolist()
        assert pseudo.weight.tolist() == trusted
        assert set(trusted) == {0, 1}


def test_at_first_no_class_is_leaned_to_and_guesses_are_those_of_fixmatch():
    memory = DebiasedThreshold().init(SIZES)
    np.testing.assert_allclose(memory.share, [1 / K] * K, rtol=1e-6)
    one = batch(3)
    found = DebiasedThreshold().label(memory, one)[1]
    for value, plain in zip(found, FixedThreshold().label((), one)[1], strict=True):
        np.testing.assert_allclose(value, plain, rtol=1e-5)


def test_a_guess_at_the_threshold_is_trusted():
    # Of two classes alike the softmax is exactly a half, as long as they are leaned to alike.
    even = Leaning(jnp.array([0.25, 0.25, 0.5]))
    said = [[0.0, 0.0, -np.inf], [0.0, 0.0, -1.0]]
    assert weighed(said, DebiasedThreshold(0.5), even).tolist() == [1, 0]


def test_what_is_leaned_to_is_guessed_less():
    said = batch(0)._replace(prediction=saying([[0.5, 0.4, 0.1]] * 12))
    guess = DebiasedThreshold(strength=1.0).label(LEANING, said)[1]
    expected = np.array([0.5 / 0.7, 0.4 / 0.2, 0.1 / 0.1])
    np.testing.assert_allclose(guess.probabilities[0], expected / expected.sum(), rtol=1e-5)
    assert guess.label.tolist() == [1] * 12


@pytest.mark.parametrize("labeled", [True, False])
def test_margins_are_added_to_the_strong_views_in_the_mean_of_each_domain(labeled):
    outputs = outcome(trusted=[1, 0, 0, 1, 1, 0, 0.5, 0, 0, 1, 1, 0])._replace(memory=LEANING)
    logits, pseudo = np.asarray(outputs.strong.logits, np.float64), outputs.pseudo
    total = 0.0
    for domain in range(N):
        own = [e for e in range(B) if e % N == domain and (labeled or not IS_LABELED[e])]
        for e in own:
            leant = logits[e] + 0.4 * np.log(np.asarray(LEANING.share))
            total += float(pseudo.weight[e]) * surprise(leant, int(pseudo.label[e])) / len(own)
    value = AdaptiveMargin(labeled=labeled)(outputs)
    np.testing.assert_allclose(value, total, rtol=1e-5)


def test_without_strength_it_is_the_consistency_of_fixmatch():
    outputs = outcome()._replace(memory=LEANING)
    np.testing.assert_allclose(
        AdaptiveMargin(strength=0.0)(outputs), Consistency()(outputs), rtol=1e-6
    )


def test_a_class_that_has_vanished_leaves_everything_finite():
    gone = Leaning(jnp.array([1.0, 0.0, 1e-38]))
    outputs = outcome(trusted=[1] * B)._replace(memory=gone)

    def value(logits):
        return AdaptiveMargin()(outputs._replace(strong=outputs.strong._replace(logits=logits)))

    loss, slope = jax.value_and_grad(value)(outputs.strong.logits.astype(jnp.bfloat16))
    assert loss.dtype == jnp.float32 and np.isfinite(loss)
    assert np.isfinite(slope.astype(jnp.float32)).all()
    assert np.isfinite(DebiasedThreshold().label(gone, batch(1))[1].probabilities).all()


def test_margins_need_the_memory_of_their_labeler():
    with pytest.raises(InputError, match="needs the memory of DebiasPL's labeler"):
        AdaptiveMargin()(outcome())


def test_its_knobs_arrive_where_they_belong():
    method = debiaspl(threshold=0.8, strength=0.5, decay=0.9, unlabeled_weight=2.0, labeled=False)
    assert method.labeler == DebiasedThreshold(0.8, 0.5, 0.9)
    assert method.terms == {
        "supervised": Supervised(), "consistency": AdaptiveMargin(2.0, 0.5, False)
    }  # fmt: skip
    assert debiaspl().labeler == DebiasedThreshold(threshold=0.95, strength=0.4, decay=0.999)
