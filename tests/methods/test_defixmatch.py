import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import IS_LABELED, LABELED, B, N, outcome, surprise

from jaxclr.errors import InputError
from jaxclr.methods.defixmatch import Debias, SupervisedStrong, defixmatch
from jaxclr.methods.erm import Supervised
from jaxclr.methods.fixmatch import Consistency, FixedThreshold

TRUSTED = [1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0]


def test_what_is_taken_away_is_the_consistency_of_each_domains_labeled_images():
    outputs = outcome(trusted=TRUSTED)
    logits, total = np.asarray(outputs.strong.logits), 0.0
    for domain in range(N):
        own = [e for e in range(B) if e % N == domain and IS_LABELED[e]]
        for e in own:
            # By what is guessed, and not by what is given.
            total -= TRUSTED[e] * surprise(logits[e], int(outputs.pseudo.label[e])) / len(own)
    np.testing.assert_allclose(Debias()(outputs), total, rtol=1e-6)


def test_on_strong_views_given_labels_are_learned_in_the_mean_of_each_domain():
    outputs = outcome(trusted=TRUSTED)
    logits, total = np.asarray(outputs.strong.logits), 0.0
    for domain in range(N):
        own = [e for e in range(B) if e % N == domain and IS_LABELED[e]]
        total += sum(surprise(logits[e], int(outputs.given[e])) for e in own) / len(own)
    np.testing.assert_allclose(SupervisedStrong()(outputs), total, rtol=1e-6)


def test_where_labeled_and_unlabeled_images_are_alike_nothing_is_left_of_the_guesses():
    outputs = outcome(trusted=[1] * B)
    # Each row: two labeled images, then twice the same two without a label.
    same = np.array([row * 6 + e for row in range(2) for e in (0, 1) * 3])
    strong = outputs.strong._replace(logits=outputs.strong.logits[same])
    pseudo = outputs.pseudo._replace(label=outputs.pseudo.label[same])
    outputs = outputs._replace(strong=strong, pseudo=pseudo)
    kept = Consistency(labeled=False)(outputs)
    assert kept > 0
    np.testing.assert_allclose(kept + Debias()(outputs), 0, atol=1e-6)


def test_where_guesses_of_labeled_images_are_right_nothing_pushes_their_strong_views():
    outputs = outcome(trusted=[1] * B)
    right = jnp.where(IS_LABELED, outputs.given, outputs.pseudo.label)
    outputs = outputs._replace(pseudo=outputs.pseudo._replace(label=right))

    def value(logits):
        strong = outputs.strong._replace(logits=logits)
        return defixmatch().loss(outputs._replace(strong=strong))[0]

    slope = jax.grad(value)(outputs.strong.logits)
    np.testing.assert_allclose(slope[IS_LABELED], 0, atol=1e-7)
    assert (slope[~IS_LABELED] != 0).all()


def test_without_a_trusted_guess_nothing_is_taken_away():
    assert Debias()(outcome(trusted=[0] * B)) == 0


def test_half_precision_is_made_single():
    outputs = outcome(trusted=TRUSTED)
    logits = outputs.strong.logits.astype(jnp.bfloat16)
    half = outputs._replace(strong=outputs.strong._replace(logits=logits))
    for term in (Debias(), SupervisedStrong()):
        assert term(half).dtype == jnp.float32
        np.testing.assert_allclose(term(half), term(outputs), rtol=1e-2)


def test_without_strong_views_it_says_what_is_missing():
    outputs = outcome()._replace(strong=None)
    for term in (Debias(), SupervisedStrong()):
        with pytest.raises(InputError, match="needs a pass over strong views"):
            term(outputs)


def test_the_loss_is_the_papers_with_each_image_of_the_set_it_belongs_to():
    outputs = outcome(trusted=TRUSTED)
    strong, weak = np.asarray(outputs.strong.logits), np.asarray(outputs.labeled.logits)
    guess = outputs.pseudo.label
    labeled, unlabeled = np.flatnonzero(IS_LABELED), np.flatnonzero(~IS_LABELED)

    def consistency(own):
        return np.mean([TRUSTED[e] * surprise(strong[e], int(guess[e])) for e in own])

    risk = 0.0
    for place, e in enumerate(labeled):
        y = int(outputs.given[e])
        risk += (surprise(weak[place], y) + surprise(strong[e], y)) / 2 / LABELED
    risk += 0.25 * consistency(unlabeled) - 0.25 * consistency(labeled)
    loss = defixmatch(unlabeled_weight=0.25).loss(outputs)[0]
    np.testing.assert_allclose(loss, N * risk, rtol=1e-6)


def test_its_knobs_arrive_where_they_belong():
    method = defixmatch(threshold=0.8, unlabeled_weight=0.25)
    assert method.labeler == FixedThreshold(0.8)
    assert method.terms == {
        "supervised": Supervised(0.5),
        "supervised_strong": SupervisedStrong(0.5),
        "consistency": Consistency(0.25, labeled=False),
        "debias": Debias(0.25),
    }
    assert defixmatch() == defixmatch(threshold=0.95, unlabeled_weight=0.5)
