import jax
import jax.numpy as jnp
import numpy as np
import pytest
from everything import ALIKE, directions, everything, unlabeled_shuffled, with_embeddings
from outcomes import IS_LABELED, LABELED, UNLABELED, B, K

from jaxclr.errors import InputError
from jaxclr.methods.adc import adc
from jaxclr.methods.fixclr import Repulsion, fixclr
from jaxclr.methods.fixmatch import FixedThreshold
from jaxclr.methods.ssc import SoftUnifiedContrast, UnifiedContrast, ssc, strong_views

PLACES = np.flatnonzero(~IS_LABELED)
MIXED = [1, 0, 0, 0.99, 1, 0, 0, 0, 0, 1, 1, 0]
HOW = {"temperature": 0.3, "unconfident_weight": 0.4}


def contrast(members, temperature):
    """The paper's mean over anchors that have a positive; a member is (vector, label, weight)."""
    z = directions([vector for vector, _, _ in members])
    label, weight = [y for _, y, _ in members], [w for _, _, w in members]
    losses = []
    for a in range(len(members)):
        others = [b for b in range(len(members)) if b != a]
        positives = [p for p in others if label[p] == label[a]]
        total = sum(np.exp(z[a] @ z[b] / temperature) for b in others)
        logs = [np.log(np.exp(z[a] @ z[p] / temperature) / total) for p in positives]
        if logs:
            losses.append(weight[a] * len(members) / sum(weight) * -np.mean(logs))
    return np.mean(losses)


def known(outputs):
    """Prototypes, then labeled images: the beginning of the paper's set."""
    labeled = zip(outputs.labeled.embedding, outputs.label.tolist(), strict=True)
    return [
        *((outputs.prototypes[c], c, 1.0) for c in range(K)),
        *((vector, y, 1.0) for vector, y in labeled),
    ]


def in_the_papers_order(outputs, temperature=0.1, unconfident_weight=0.2):
    """Both strong views of the confident, then both of all others."""
    views = [np.asarray(getattr(outputs, name).embedding) for name in ALIKE]
    weight, guess = outputs.pseudo.weight.tolist(), outputs.pseudo.label.tolist()
    members = known(outputs)
    for view in views:
        members += [(view[e], guess[e], 1.0) for e in PLACES if weight[e] == 1]
    for view in views:
        members += [(view[e], K + e, unconfident_weight) for e in PLACES if weight[e] < 1]
    return contrast(members, temperature)


def twice(outputs, temperature=0.1, unconfident_weight=0.2):
    """Every strong view with its guess, and again with a label of its image's own."""
    views = [np.asarray(getattr(outputs, name).embedding) for name in ALIKE]
    m, guess = outputs.pseudo.weight.tolist(), outputs.pseudo.label.tolist()
    members = known(outputs)
    for view in views:
        members += [(view[e], guess[e], m[e]) for e in PLACES]
        members += [(view[e], K + e, (1 - m[e]) * unconfident_weight) for e in PLACES]
    return contrast(members, temperature)


@pytest.mark.parametrize("how", [{}, HOW])
@pytest.mark.parametrize("trusted", [MIXED, [0] * B, [1] * B], ids=["some", "nobody", "all"])
def test_it_is_the_papers_mean_over_its_set_of_prototypes_labeled_and_strong_views(trusted, how):
    outputs = everything(trusted=trusted)
    expected = in_the_papers_order(outputs, **how)
    np.testing.assert_allclose(UnifiedContrast(**how)(outputs), expected, rtol=1e-5)


@pytest.mark.parametrize("how", [{}, HOW])
@pytest.mark.parametrize("trusted", [np.linspace(0, 1, B), [0] * B, [1] * B])
def test_softly_it_is_the_mean_over_a_set_in_which_strong_views_stand_twice(trusted, how):
    outputs = everything(trusted=trusted)
    np.testing.assert_allclose(
        SoftUnifiedContrast(**how)(outputs), twice(outputs, **how), rtol=1e-5
    )


def test_the_two_views_of_an_image_share_guess_trust_and_a_label_that_nobody_else_has():
    outputs = everything(trusted=[0.1 * e for e in range(B)])
    views = strong_views(outputs)
    assert views.own.tolist() == 2 * list(range(K, K + UNLABELED))
    assert views.guess.tolist() == 2 * outputs.pseudo.label[PLACES].tolist()
    np.testing.assert_allclose(views.trust, 2 * [0.1 * e for e in PLACES], rtol=1e-6)
    for found, view in zip(np.split(views.embedding, 2), ALIKE, strict=True):
        np.testing.assert_array_equal(found, getattr(outputs, view).embedding[PLACES])


def test_where_all_of_a_label_are_at_one_corner_only_numbers_and_weights_of_labels_count():
    # Labels of the labeled, and guesses of the first three unlabeled images; five are in doubt.
    given, guesses, corners = [0, 0, 1, 0], [1, 0, 1], np.eye(K + UNLABELED, dtype=np.float32)
    trust, guess = np.zeros(B), np.zeros(B, int)
    trust[PLACES[:3]], guess[PLACES[:3]] = 1, guesses
    # Labeled images' strong views stand at a corner of the confident, and do not count.
    at = np.zeros((B, K + UNLABELED), np.float32)
    at[PLACES[:3]] = corners[guesses]
    at[PLACES[3:]] = corners[K + 3 : K + UNLABELED]
    outputs = everything(trusted=trust)
    outputs = with_embeddings(outputs, labeled=corners[given], strong=at, second=at)._replace(
        label=jnp.array(given),
        pseudo=outputs.pseudo._replace(label=jnp.asarray(guess)),
        prototypes=5 * jnp.asarray(corners[:K]),
    )
    # Of label 0: its prototype, three labeled and two views; of label 1: its own, one and four.
    size = K + LABELED + 2 * UNLABELED
    total = K + LABELED + 6 + 0.2 * 10

    def loss(count):
        return np.log((count - 1) * np.exp(10) + size - count) - 10

    # The prototype of label 2 is alone, and no anchor.
    expected = (6 * loss(6) + 6 * loss(6) + 0.2 * 10 * loss(2)) * size / total / (size - 1)
    np.testing.assert_allclose(UnifiedContrast()(outputs), expected, rtol=1e-5)


@pytest.mark.parametrize("term", [UnifiedContrast(), SoftUnifiedContrast()])
def test_the_order_of_unlabeled_images_does_not_matter(term):
    outputs = everything(trusted=MIXED)
    moved = unlabeled_shuffled(outputs)
    assert (moved.strong.embedding != outputs.strong.embedding).any()
    np.testing.assert_allclose(term(moved), term(outputs), rtol=1e-5)


@pytest.mark.parametrize("term", [UnifiedContrast(), SoftUnifiedContrast()])
def test_gradients_reach_the_set_and_nothing_else(term):
    outputs = everything(trusted=MIXED)
    arrays = {name: getattr(outputs, name) for name in ("labeled", "weak", "prototypes", *ALIKE)}
    slopes = jax.grad(lambda x: term(outputs._replace(**x)))(arrays)
    for name in ALIKE:
        moved = (slopes[name].embedding != 0).any(1)
        assert moved.tolist() == (~IS_LABELED).tolist()
    assert (slopes["labeled"].embedding != 0).any(1).all()
    assert (slopes["prototypes"] != 0).any(1).all()
    blank = {name: slopes[name]._replace(embedding=jnp.zeros(1)) for name in ("labeled", *ALIKE)}
    assert not any(x.any() for x in jax.tree.leaves([blank, slopes["weak"]]))


@pytest.mark.parametrize("term", [UnifiedContrast(), SoftUnifiedContrast()])
def test_strong_views_and_guesses_of_labeled_images_have_no_influence(term):
    outputs = everything(trusted=MIXED)
    noise = {
        view: jnp.where(IS_LABELED[:, None], 7.0, getattr(outputs, view).embedding)
        for view in ALIKE
    }
    other = outputs.pseudo._replace(
        label=jnp.where(IS_LABELED, (outputs.pseudo.label + 1) % K, outputs.pseudo.label),
        weight=jnp.where(IS_LABELED, 1 - outputs.pseudo.weight, outputs.pseudo.weight),
    )
    assert term(with_embeddings(outputs, **noise)._replace(pseudo=other)) == term(outputs)


@pytest.mark.parametrize("term", [UnifiedContrast(), SoftUnifiedContrast()])
def test_an_untrusted_guess_may_be_anything_only_where_trust_is_all_or_nothing(term):
    outputs = everything(trusted=[0] * B)
    other = outputs.pseudo._replace(label=(outputs.pseudo.label + 1) % K)
    same = term(outputs._replace(pseudo=other)) == term(outputs)
    assert same == isinstance(term, UnifiedContrast)


def test_its_knobs_arrive_where_they_belong():
    assert ssc().terms == {"contrast": UnifiedContrast(1.0, 0.1, 0.2)}
    assert ssc().labeler == FixedThreshold(0.95)
    method = ssc(threshold=0.7, **HOW)
    assert method.terms == {"contrast": UnifiedContrast(1.0, 0.3, 0.4)}
    assert method.labeler == FixedThreshold(0.7)
    method = ssc(labeler=FixedThreshold(0.6), soft=True, **HOW)
    assert method.terms == {"contrast": SoftUnifiedContrast(1.0, 0.3, 0.4)}
    assert method.labeler == FixedThreshold(0.6)
    assert method.reads == {"labeled", "pseudo", "strong", "second"}


def test_fixclr_and_calibration_go_onto_it():
    outputs = everything(trusted=MIXED)
    repulsion = fixclr(base=ssc(), weight=3.0)
    loss, terms = repulsion.loss(outputs)
    assert list(terms) == ["contrast", "repulsion"]
    assert terms["repulsion"] == Repulsion()(outputs)
    plain = in_the_papers_order(outputs)
    np.testing.assert_allclose(loss, plain + 3 * terms["repulsion"], rtol=1e-5)
    calibrated, terms = adc(ssc()).loss(outputs)
    expected = plain + 0.1 * (terms["calibration"] + terms["preservation"])
    np.testing.assert_allclose(calibrated, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("prototypes", r"classifier=Prototypes\(\) and projector=Mlp\(\)"),
        ("second", "a pass over second strong views"),
        ("labeled", "a pass over labeled images"),
    ],
)
def test_what_is_missing_is_named(missing, message):
    outputs = everything()._replace(**{missing: None})
    with pytest.raises(InputError, match=message):
        ssc().loss(outputs)
