import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import SIZES, K, evidence
from traces import batch, stated, trace, unlabeled_of, weighed

from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.softmatch import ConfidenceStatus, TruncatedGaussian, softmatch
from jaxclr.types import Prediction


def by_hand(batches, decay, num_sigma, aligns):
    """Averages and weights from the formulas, image by image."""
    mean, variance, share = 1 / K, 1.0, None
    for one in batches:
        probabilities, own = stated(one), unlabeled_of(one)
        now = np.mean([probabilities[e] for e in own], axis=0)
        share = now if share is None else decay * share + (1 - decay) * now
        confidence = []
        for p in probabilities:
            q = p * (1 / K) / share if aligns else p
            confidence.append((q / q.sum()).max())
        seen = [confidence[e] for e in own]
        mean = decay * mean + (1 - decay) * np.mean(seen)
        variance = decay * variance + (1 - decay) * np.var(seen, ddof=1)
        weight = []
        for q in confidence:
            sigma = np.sqrt(variance) / num_sigma
            weight.append(1.0 if q >= mean else np.exp(-((q - mean) ** 2) / (2 * sigma**2)))
        yield mean, variance, share, weight


@pytest.mark.parametrize("aligns", [True, False])
@pytest.mark.parametrize(("decay", "num_sigma"), [(0.999, 2.0), (0.5, 3.0)])
def test_memory_and_weights_are_those_of_the_formulas_by_hand(decay, num_sigma, aligns):
    batches = [batch(seed, lean=(1.5, 0.0, -1.5)) for seed in range(4)]
    found = trace(TruncatedGaussian(decay, num_sigma, aligns), batches)
    expected = by_hand(batches, decay, num_sigma, aligns)
    for (memory, pseudo), (*averages, weight) in zip(found, expected, strict=True):
        for average, value in zip(memory, averages, strict=True):
            np.testing.assert_allclose(average, value, rtol=1e-4)
        np.testing.assert_allclose(pseudo.weight, weight, rtol=1e-4)
    assert (pseudo.weight < 0.9).any() == (decay == 0.5)


def test_it_starts_at_a_guess_by_chance_of_any_spread():
    memory = TruncatedGaussian().init(SIZES)
    np.testing.assert_allclose(memory.mean, 1 / K, rtol=1e-6)
    assert memory.variance == 1 and not memory.share.any()
    assert {x.dtype for x in memory} == {jnp.dtype(jnp.float32)}
    assert [x.shape for x in memory] == [(), (), (K,)]


def test_a_guess_of_the_mean_confidence_is_trusted_wholly_and_those_below_by_degrees():
    memory = ConfidenceStatus(jnp.float32(0.5), jnp.float32(0.04), jnp.ones(K) / K)
    # Of two classes alike the softmax is exactly a half. A decay of 1 keeps the memory.
    confidence = [0.9, 0.5, 0.45, 0.4, 0.35]
    logits = [
        [0.0, 0.0, -np.inf] if p == 0.5 else np.log([p, *[(1 - p) / 2] * 2]) for p in confidence
    ]
    weight = weighed(logits, TruncatedGaussian(1.0, aligns=False), memory)
    # Half a sigma of 0.2 is a tenth: these lie a half, one and one and a half of it below.
    expected = [1, 1, np.exp(-1 / 8), np.exp(-1 / 2), np.exp(-9 / 8)]
    np.testing.assert_allclose(weight, expected, rtol=1e-5)
    assert weight[:2].tolist() == [1, 1]


def test_alignment_lifts_a_neglected_class_and_changes_no_label():
    memory = ConfidenceStatus(jnp.float32(0.8), jnp.float32(0.01), jnp.array([0.7, 0.2, 0.1]))
    logits = np.log([[0.6, 0.2, 0.2], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4]])
    said = evidence(Prediction(*[jnp.asarray(logits, jnp.float32)] * 3))
    aligned, plain = (
        TruncatedGaussian(1.0, aligns=aligns).label(memory, said)[1] for aligns in (True, False)
    )
    assert aligned.label.tolist() == plain.label.tolist() == [0, 2, 0]
    np.testing.assert_array_equal(aligned.probabilities, plain.probabilities)
    np.testing.assert_array_equal(aligned.confidence, plain.confidence)
    np.testing.assert_allclose(plain.weight[0], plain.weight[1], rtol=1e-5)
    assert aligned.weight[0] < 0.5 < aligned.weight[1]


def test_weights_are_finite_where_all_are_alike_or_one_is_alone():
    labeler = TruncatedGaussian(decay=0.0)
    for logits in (jnp.zeros((4, K)), jnp.zeros((1, K)), jnp.full((3, K), 1e4).at[:, 0].set(2e4)):
        memory, pseudo = labeler.label(
            labeler.init(SIZES), evidence(Prediction(logits, logits, logits))
        )
        assert all(np.isfinite(x).all() for x in memory)
        np.testing.assert_allclose(pseudo.weight, 1, rtol=1e-6)


def test_its_knobs_arrive_where_they_belong():
    method = softmatch(decay=0.9, num_sigma=3.0, aligns=False, unlabeled_weight=2.0, labeled=False)
    assert method.labeler == TruncatedGaussian(0.9, 3.0, aligns=False)
    assert method.terms == {"supervised": Supervised(), "consistency": Consistency(2.0, False)}
    assert softmatch().labeler == TruncatedGaussian(decay=0.999, num_sigma=2.0, aligns=True)
