import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import IS_LABELED, SIZES, B, K, N, outcome
from traces import batch, softmax, stated, trace, unlabeled_of, weighed

from jaxclr.errors import InputError
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.freematch import Fairness, LearningStatus, SelfAdaptive, freematch

STATUS = LearningStatus(jnp.float32(0.7), jnp.array([0.5, 0.3, 0.2]), jnp.array([0.45, 0.3, 0.25]))


def by_hand(batches, decay):
    """Averages, and whom one trusts, from the formulas, image by image."""
    tau, share, histogram = 1 / K, np.full(K, 1 / K), np.full(K, 1 / K)
    for one in batches:
        probabilities, own = stated(one), unlabeled_of(one)
        tau = decay * tau + (1 - decay) * np.mean([probabilities[e].max() for e in own])
        share = decay * share + (1 - decay) * np.mean([probabilities[e] for e in own], axis=0)
        counts = [sum(probabilities[e].argmax() == c for e in own) for c in range(K)]
        histogram = decay * histogram + (1 - decay) * np.array(counts) / len(own)
        trusted = []
        for p in probabilities:
            trusted.append(float(p.max() >= tau * share[p.argmax()] / share.max()))
        yield tau, share, histogram, trusted


@pytest.mark.parametrize("decay", [0.999, 0.5])
def test_memory_and_trust_are_those_of_the_formulas_by_hand(decay):
    batches = [batch(seed, lean=(1.0, 0.0, -1.0)) for seed in range(4)]
    found = trace(SelfAdaptive(decay), batches)
    met = set()
    for (memory, pseudo), (*averages, trusted) in zip(found, by_hand(batches, decay), strict=True):
        for average, expected in zip(memory, averages, strict=True):
            np.testing.assert_allclose(average, expected, rtol=1e-5)
        assert pseudo.weight.tolist() == trusted
        met |= set(trusted)
    assert met == {1} if decay == 0.999 else met == {0, 1}


def test_all_averages_start_at_one_over_the_number_of_classes():
    memory = SelfAdaptive().init(SIZES)
    for average, shape in zip(memory, [(), (K,), (K,)], strict=True):
        assert average.shape == shape and average.dtype == jnp.float32
        np.testing.assert_allclose(average, 1 / K, rtol=1e-6)


def test_thresholds_are_the_mean_confidence_scaled_to_the_likeliest_class():
    for c, least in enumerate([0.7, 0.7 * 0.6, 0.7 * 0.4]):
        for nudge in (-1e-3, 1e-3):
            p = max(least, 0.35) + nudge
            logits = np.full(K, np.log((1 - p) / (K - 1)))
            logits[c] = np.log(p)
            # A decay of 1 keeps the memory as it is.
            weight = weighed([logits], SelfAdaptive(1.0), STATUS)[0]
            assert weight == (nudge > 0 or least < 0.34)


def test_a_guess_at_its_threshold_is_trusted():
    # Of two classes alike the softmax is exactly a half.
    even = LearningStatus(jnp.float32(0.5), jnp.array([0.5, 0.5, 0.0]), jnp.ones(K) / K)
    said = [[0.0, 0.0, -np.inf], [0.0, -0.1, -0.2]]
    assert weighed(said, SelfAdaptive(1.0), even).tolist() == [1, 0]


def fairness_by_hand(outputs, status):
    """The sum over classes, with images counted one by one."""
    probabilities = softmax(outputs.strong.logits)
    own = [e for e in range(B) if not IS_LABELED[e] and outputs.pseudo.weight[e] > 0]
    past = np.asarray(status.share, np.float64) / np.asarray(status.histogram, np.float64)
    past /= past.sum()
    now = {}
    for c in range(K):
        share = sum(probabilities[e, c] for e in own) / len(own)
        often = sum(probabilities[e].argmax() == c for e in own) / len(own)
        if often:
            now[c] = share / often
    return sum(past[c] * np.log(now[c] / sum(now.values())) for c in now)


@pytest.mark.parametrize("seed", range(4))
def test_fairness_is_the_sum_over_classes_by_hand_times_the_domains(seed):
    outputs = outcome(seed, trusted=[1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1])._replace(memory=STATUS)
    expected = N * fairness_by_hand(outputs, STATUS)
    value = Fairness()(outputs)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert value < 0


def slope(outputs):
    """Of the fairness on the strong views' logits."""

    def value(logits):
        return Fairness()(outputs._replace(strong=outputs.strong._replace(logits=logits)))

    return jax.grad(value)(outputs.strong.logits)


def test_its_gradient_is_that_of_the_cross_entropy_with_absent_classes_at_a_constant():
    # The form of the authors' code: 0 in place of 1 / 0, and a tiny number in the logarithm.
    outputs = outcome(3, trusted=[1] * B)._replace(memory=STATUS)
    logits = outputs.strong.logits.at[:, 1].add(-9.0)
    outputs = outputs._replace(strong=outputs.strong._replace(logits=logits))

    def value(moved):
        p = softmax(moved)[~IS_LABELED]
        often = np.bincount(p.argmax(1), minlength=K) / len(p)
        now = p.mean(0) * np.array([1 / x if x else 0 for x in often])
        past = np.asarray(STATUS.share / STATUS.histogram, np.float64)
        return N * (past / past.sum() * np.log(now / now.sum() + 1e-12)).sum()

    start, slopes = np.asarray(logits, np.float64), np.zeros((B, K))
    for place in np.ndindex(B, K):
        step = np.zeros((B, K))
        step[place] = 1e-5
        slopes[place] = (value(start + step) - value(start - step)) / 2e-5
    assert not (softmax(logits).argmax(1) == 1).any()
    np.testing.assert_allclose(slope(outputs), slopes, rtol=1e-3, atol=1e-6)


def test_fairness_pushes_trusted_unlabeled_images_and_no_others():
    trusted = [1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0]
    outputs = outcome(2, trusted=trusted)._replace(memory=STATUS)
    moved = (slope(outputs) != 0).any(1)
    assert moved.tolist() == (np.array(trusted, bool) & ~IS_LABELED).tolist()


@pytest.mark.parametrize("histogram", [[0.45, 0.3, 0.25], [1.0, 0.0, 0.0], [1.0, 1e-30, 1e-38]])
@pytest.mark.parametrize("trusted", [[0] * B, [1] * B])
def test_fairness_is_finite_for_nobody_and_for_classes_long_unseen(histogram, trusted):
    status = STATUS._replace(histogram=jnp.array(histogram))
    outputs = outcome(1, trusted=trusted)._replace(memory=status)
    for scale in (0.0, 1.0, 1e4):
        logits = (scale * outputs.strong.logits).astype(jnp.bfloat16)
        one = outputs._replace(strong=outputs.strong._replace(logits=logits))
        # Not even on the way is anything that is no number.
        with jax.debug_nans(True):
            value, slopes = Fairness()(one), slope(one)
        assert np.isfinite(value) and value.dtype == jnp.float32
        assert np.isfinite(slopes.astype(jnp.float32)).all()
        assert value == 0 or any(trusted)


def test_fairness_needs_the_memory_of_its_labeler():
    with pytest.raises(InputError, match="needs the memory of FreeMatch's labeler"):
        Fairness()(outcome())


def test_its_knobs_arrive_where_they_belong():
    method = freematch(decay=0.9, fairness=0.05, unlabeled_weight=2.0, labeled=False)
    assert method.labeler == SelfAdaptive(0.9)
    assert method.terms == {
        "supervised": Supervised(),
        "consistency": Consistency(2.0, False),
        "fairness": Fairness(0.05),
    }
    assert freematch().terms["fairness"] == Fairness(0.01)
    outputs = outcome()._replace(memory=STATUS)
    loss, terms = method.loss(outputs)
    expected = terms["supervised"] + 2 * terms["consistency"] + 0.05 * terms["fairness"]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
