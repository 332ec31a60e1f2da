import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import SIZES, B, K, N, label_by, saying
from traces import batch, stated, trace

from jaxclr.methods.erm import Supervised
from jaxclr.methods.sinkhorn import SinkhornLabels, sinkhorn
from jaxclr.methods.soft import SoftConsistency


def assigned(logits, share, temperature, iterations):
    """Columns and rows scaled in turn, in linear form."""
    table = np.exp(np.asarray(logits, np.float64) / temperature)
    for _ in range(iterations):
        for c in range(K):
            table[:, c] *= len(table) * share[c] / table[:, c].sum()
        for row in table:
            row /= row.sum()
    return table / table.sum(1, keepdims=True)


def by_hand(batches, prior, temperature, iterations):
    """Assignments of one domain after another, by the labels given up to then."""
    given = [[1.0] * K for _ in range(N)]
    for one in batches:
        for e in range(len(one.given)):
            if one.given[e] >= 0:
                given[e % N][int(one.given[e])] += 1
        found = np.zeros((len(one.given), K))
        for domain in range(N):
            counts = np.array(given[domain]) if prior == "given" else np.ones(K)
            own = one.prediction.logits[domain::N]
            share = counts / counts.sum()
            found[domain::N] = assigned(own, share, temperature, iterations)
        yield np.array(given), found


@pytest.mark.parametrize("prior", ["uniform", "given"])
@pytest.mark.parametrize(("temperature", "iterations"), [(0.5, 3), (2.0, 10)])
def test_each_domain_is_assigned_on_its_own_to_the_shares_of_the_prior(
    prior, temperature, iterations
):
    batches = [batch(seed, lean=(1.0, 0.0, -1.0)) for seed in range(3)]
    labeler = SinkhornLabels(temperature, iterations, prior)
    expected = by_hand(batches, prior, temperature, iterations)
    for (memory, pseudo), (given, found) in zip(trace(labeler, batches), expected, strict=True):
        np.testing.assert_allclose(pseudo.probabilities, found, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(pseudo.confidence, found.max(1), rtol=1e-3)
        assert pseudo.label.tolist() == found.argmax(1).tolist()
        assert pseudo.weight.tolist() == [1.0] * B
        if prior == "given":
            assert memory.labels.tolist() == given.tolist()
        else:
            assert memory == ()


def test_at_first_all_classes_are_given_alike():
    memory = SinkhornLabels(prior="given").init(SIZES)
    assert memory.labels.tolist() == [[1.0] * K] * N
    assert SinkhornLabels().init(SIZES) == ()


def test_every_class_is_used_alike_in_every_domain_however_the_network_leans():
    one = batch(5, rows=8, lean=(4.0, 0.0, -4.0))
    assert (stated(one).argmax(1) == 0).mean() > 0.7
    found = SinkhornLabels(iterations=100).label((), one)[1].probabilities
    for domain in range(N):
        np.testing.assert_allclose(found[domain::N].mean(0), 1 / K, rtol=1e-3)


def test_labels_given_in_one_domain_do_not_tell_of_another():
    one = batch(1)
    is_given = one.given >= 0
    # All of the first domain's labels are of class 2.
    one = one._replace(given=jnp.where(is_given & (one.domain == 0), 2, one.given))
    other = one._replace(given=jnp.where(is_given & (one.domain == 0), 1, one.given))
    labeler = SinkhornLabels(prior="given")
    (_, found), (_, moved) = (labeler.label(labeler.init(SIZES), x) for x in (one, other))
    np.testing.assert_array_equal(found.probabilities[1::N], moved.probabilities[1::N])
    assert (found.probabilities[::N, 2] > moved.probabilities[::N, 2]).all()


def test_without_iterations_it_is_the_softmax_at_the_temperature():
    one = batch(2)
    plain = SinkhornLabels(temperature=1.0, iterations=0).label((), one)[1]
    np.testing.assert_allclose(plain.probabilities, stated(one), rtol=1e-5)


def test_assignments_are_made_one_hot_and_trusted_from_a_threshold_on_when_asked():
    one = batch(3)
    soft = SinkhornLabels().label((), one)[1]
    hard = SinkhornLabels(hard=True, threshold=0.9).label((), one)[1]
    np.testing.assert_array_equal(hard.label, soft.label)
    np.testing.assert_array_equal(hard.confidence, soft.confidence)
    np.testing.assert_array_equal(hard.probabilities, np.eye(K)[soft.label])
    assert hard.weight.tolist() == (soft.confidence >= 0.9).astype(float).tolist()
    assert 0 < hard.weight.sum() < B
    # At the threshold itself, a guess is trusted.
    least = float(soft.confidence[0])
    assert SinkhornLabels(threshold=least).label((), one)[1].weight[0] == 1


def test_extreme_logits_and_half_precision_leave_it_finite():
    one = batch(4)
    for prior in ("uniform", "given"):
        labeler = SinkhornLabels(prior=prior)
        for scale in (0.0, 1e4):
            logits = (scale * one.prediction.logits).astype(jnp.bfloat16)
            said = one._replace(prediction=one.prediction._replace(logits=logits))
            pseudo = labeler.label(labeler.init(SIZES), said)[1]
            assert {x.dtype for x in pseudo[1:]} == {jnp.dtype(jnp.float32)}
            np.testing.assert_allclose(pseudo.probabilities.sum(1), 1, rtol=1e-5)


def test_one_image_of_each_domain_alone_says_nothing_of_its_class():
    pseudo = label_by(SinkhornLabels(), saying([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]))
    np.testing.assert_allclose(pseudo.probabilities, 1 / K, rtol=1e-5)


def test_its_knobs_arrive_where_they_belong():
    method = sinkhorn(
        temperature=0.3, iterations=5, prior="given", threshold=0.8, hard=True,
        unlabeled_weight=2.0, labeled=False,
    )  # fmt: skip
    assert method.labeler == SinkhornLabels(0.3, 5, "given", 0.8, hard=True)
    assert method.terms == {"supervised": Supervised(), "consistency": SoftConsistency(2.0, False)}
    assert sinkhorn().labeler == SinkhornLabels(0.5, 3, "uniform", 0.0, hard=False)
