import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import SIZES, K, evidence
from traces import batch, stated, trace, unlabeled_of, weighed

from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency
from jaxclr.methods.flexmatch import CurriculumThreshold, LastConfident, flexmatch
from jaxclr.types import Prediction


def by_hand(batches, threshold, warms_up):
    """What is remembered and whom one trusts, image by image and class by class."""
    last = [None] * SIZES.num_unlabeled
    for one in batches:
        sizes = [sum(label == c for label in last) for c in range(K)]
        most = max(sizes)
        if warms_up:
            most = max(most, sum(label is None for label in last))
        beta = [size / most if most else 0.0 for size in sizes]
        probabilities = stated(one)
        trusted = []
        for e in range(len(probabilities)):
            guess = int(np.argmax(probabilities[e]))
            least = threshold * beta[guess] / (2 - beta[guess])
            trusted.append(float(probabilities[e, guess] >= least))
        for e in unlabeled_of(one):
            if probabilities[e].max() >= threshold:
                last[int(one.number[e])] = int(np.argmax(probabilities[e]))
        yield [-1 if label is None else label for label in last], trusted


@pytest.mark.parametrize("warms_up", [True, False])
@pytest.mark.parametrize("threshold", [0.6, 0.95])
def test_memory_and_trust_are_those_of_the_count_by_hand(threshold, warms_up):
    batches = [batch(seed, lean=(2.0, 0.0, -1.0)) for seed in range(12)]
    found = trace(CurriculumThreshold(threshold, warms_up), batches)
    expected = list(by_hand(batches, threshold, warms_up))
    for (memory, pseudo), (last, trusted) in zip(found, expected, strict=True):
        assert memory.label.tolist() == last
        assert pseudo.weight.tolist() == trusted
    # So that all cases were met.
    assert -1 in expected[1][0] and set(memory.label.tolist()) >= set(range(K))
    assert {weight for _, trusted in expected[1:] for weight in trusted} == {0, 1}


def test_at_first_nothing_is_remembered_and_everybody_is_trusted():
    memory = CurriculumThreshold().init(SIZES)
    assert memory.label.tolist() == [-1] * SIZES.num_unlabeled
    assert memory.label.dtype == jnp.int32
    assert weighed([[0.0, 0.0, 0.0], [0.1, 0.0, 0.2]], CurriculumThreshold(), memory).all()


def test_an_image_keeps_its_last_confident_guess_until_another_one():
    sure, other, unsure = [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.1, 0.0, 0.0]
    labeler, memory = CurriculumThreshold(), CurriculumThreshold().init(SIZES)
    history = []
    for first, second in [(sure, unsure), (unsure, other), (other, unsure)]:
        logits = jnp.array([first, second])
        said = evidence(Prediction(logits, logits, logits), number=jnp.array([4, 19]))
        memory, _ = labeler.label(memory, said)
        history.append((int(memory.label[4]), int(memory.label[19])))
    assert history == [(0, -1), (0, 1), (1, 1)]
    # Nor is anybody else's touched: not the last one's, by the -1 of labeled images.
    assert (memory.label >= 0).sum() == 2


def test_labeled_images_are_remembered_nowhere():
    logits = jnp.array([[9.0, 0, 0], [0, 9.0, 0]])
    said = Prediction(logits, logits, logits)
    labeled = evidence(said, given=jnp.array([0, 1]), number=jnp.array([-1, -1]))
    memory, pseudo = CurriculumThreshold().label(CurriculumThreshold().init(SIZES), labeled)
    assert (memory.label == -1).all()
    assert pseudo.label.tolist() == [0, 1]


def test_a_guess_at_its_threshold_is_trusted_and_one_below_is_not():
    # Of two classes alike the softmax is exactly a half; classes 0 and 1 are equally learned.
    memory = LastConfident(jnp.array([0, 0, 1, 1]))
    half = [[0.0, 0.0, -np.inf], [-0.01, 0.0, -np.inf]]
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    assert weighed(half, CurriculumThreshold(0.5), memory).tolist() == [1, 1]
    assert weighed(half, CurriculumThreshold(above), memory).tolist() == [0, 1]
    counted, _ = CurriculumThreshold(0.5).label(
        memory, evidence(Prediction(*[jnp.array(half[:1])] * 3), number=jnp.array([3]))
    )
    assert counted.label.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("warms_up", "shares"), [(True, (9 / 11, 8 / 12, 0)), (False, (1, 8 / 10, 0))]
)
def test_thresholds_bend_and_wait_for_images_that_nobody_guessed(warms_up, shares):
    # Nine images of class 0, eight of class 1, and ten that are not yet anybody's:
    # 0.9 / (2 - 0.9) = 9 / 11 and 0.8 / (2 - 0.8) = 8 / 12, or 8 / 9 / (2 - 8 / 9) = 8 / 10.
    memory = LastConfident(jnp.array([0] * 9 + [1] * 8 + [-1] * 10))
    for c, share in enumerate(shares):
        for nudge in (-1e-3, 1e-3):
            p = max(0.96 * share, 0.35) + nudge
            logits = np.full(K, np.log((1 - p) / (K - 1)))
            logits[c] = np.log(p)
            weight = weighed([logits], CurriculumThreshold(0.96, warms_up), memory)[0]
            # A class that was never guessed with confidence is trusted at once.
            assert weight == (nudge > 0 or share == 0)


def test_without_unlabeled_images_there_is_nothing_to_remember():
    labeler = CurriculumThreshold()
    memory, pseudo = labeler.label(labeler.init(SIZES._replace(num_unlabeled=0)), batch(0))
    assert memory.label.shape == (0,)
    assert np.isfinite(pseudo.weight).all()


def test_its_knobs_arrive_where_they_belong():
    method = flexmatch(threshold=0.8, unlabeled_weight=2.0, warms_up=False, labeled=False)
    assert method.labeler == CurriculumThreshold(0.8, warms_up=False)
    assert method.terms == {"supervised": Supervised(), "consistency": Consistency(2.0, False)}
    assert flexmatch().labeler == CurriculumThreshold(threshold=0.95, warms_up=True)
