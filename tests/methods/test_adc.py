import jax
import jax.numpy as jnp
import numpy as np
import pytest
from everything import ALIKE, directions, everything
from outcomes import B

from jaxclr.errors import InputError
from jaxclr.methods.adc import (
    Calibration,
    PairCalibration,
    PairPreservation,
    Preservation,
    adc,
)
from jaxclr.methods.erm import erm
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.simclr import simclr

HOW = {"scale2": 0.3, "dof": 5.0}
TERMS = {1: (Calibration, Preservation), 2: (PairCalibration, PairPreservation)}
one_or_two_views = pytest.mark.parametrize("views", TERMS)


def gaussian(d2, scale2, dof):
    return np.exp(-d2 / (2 * scale2))


def student(d2, scale2, dof):
    return (1 + d2 / (dof * scale2)) ** (-(dof + 1) / 2)


def neighbours(vectors, kernel, scale2=0.5, dof=3.0):
    """For every row the probability of each other row, one pair after the other."""
    z = directions(vectors)
    p = np.zeros((len(z), len(z)))
    for i in range(len(z)):
        for j in range(len(z)):
            if i != j:
                p[i, j] = kernel(((z[i] - z[j]) ** 2).sum(), scale2, dof)
        p[i] /= p[i].sum()
    return p


def cross_entropies(p, q):
    """Of each row of ``p`` against that of ``q``, over all others."""
    n = len(p)
    return [-sum(p[i, j] * np.log(q[i, j]) for j in range(n) if j != i) for i in range(n)]


def seen(outputs, views, vectors="embedding"):
    """The vectors of the first one or two strong views."""
    return np.concatenate([getattr(getattr(outputs, view), vectors) for view in ALIKE[:views]])


def divergences(vectors, **how):
    """From the Gaussian neighbourhoods to those of Student's t."""
    p, q = neighbours(vectors, gaussian, **how), neighbours(vectors, student, **how)
    return np.subtract(cross_entropies(p, q), cross_entropies(p, p))


def entropies(prior, **how):
    """Of the neighbourhoods that the frozen encoder sees, no less than a tenth of the greatest."""
    p = neighbours(prior, student, **how)
    return np.maximum(cross_entropies(p, p), 0.1 * np.log(len(p) - 1))


@one_or_two_views
@pytest.mark.parametrize("how", [{}, HOW])
def test_calibration_is_the_sum_of_divergences_each_over_the_entropy_of_its_prior(how, views):
    outputs = everything()
    entropy = entropies(np.concatenate(outputs.prior[:views]), **how)
    expected = sum(divergences(seen(outputs, views), **how) / entropy)
    np.testing.assert_allclose(TERMS[views][0](**how)(outputs), expected, rtol=1e-4)


@one_or_two_views
def test_without_a_frozen_encoder_all_anchors_count_alike_and_nothing_is_preserved(views):
    outputs = everything()._replace(prior=())
    calibration, preservation = (term()(outputs) for term in TERMS[views])
    np.testing.assert_allclose(calibration, sum(divergences(seen(outputs, views))), rtol=1e-4)
    assert preservation == 0 and preservation.dtype == jnp.float32


@one_or_two_views
@pytest.mark.parametrize("how", [{}, HOW])
def test_preservation_is_the_sum_of_cross_entropies_against_the_prior(how, views):
    outputs = everything()
    prior = neighbours(np.concatenate(outputs.prior[:views]), student, **how)
    own = neighbours(seen(outputs, views), student, **how)
    expected = sum(cross_entropies(prior, own))
    np.testing.assert_allclose(TERMS[views][1](**how)(outputs), expected, rtol=1e-5)


@one_or_two_views
def test_the_features_may_take_the_place_of_the_embedding(views):
    outputs = everything()._replace(prior=())
    expected = sum(divergences(seen(outputs, views, "features")))
    found = TERMS[views][0](vectors="features")(outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@one_or_two_views
@pytest.mark.parametrize("vectors", ["embedding", "features"])
def test_gradients_reach_every_strong_view_that_is_read_and_nothing_else(vectors, views):
    outputs = everything()
    arrays = {name: getattr(outputs, name) for name in ("labeled", "weak", "prior", *ALIKE)}
    for term in TERMS[views]:
        slopes = jax.grad(lambda x, term=term: term(vectors=vectors)(outputs._replace(**x)))(arrays)
        for view in ALIKE[:views]:
            assert (getattr(slopes[view], vectors) != 0).any(1).all()
            slopes[view] = slopes[view]._replace(**{vectors: jnp.zeros(1)})
        assert not any(x.any() for x in jax.tree.leaves(slopes))


@one_or_two_views
def test_labels_guesses_and_domains_do_not_matter(views):
    outputs = everything()
    blank = outputs._replace(
        pseudo=None, given=jnp.full(B, -1), label=outputs.label * 0, domain=outputs.domain * 0
    )
    for term in TERMS[views]:
        assert term()(blank) == term()(outputs)


@pytest.mark.parametrize(
    ("base", "views"), [(erm(), 1), (fixmatch(), 1), (fixclr(), 1), (simclr(), 2)]
)
def test_on_any_base_it_looks_at_the_strong_views_that_are_there(base, views):
    method, outputs = adc(base, nu=0.2, upsilon=0.3), everything()
    calibration, preservation = (
        term(weight) for term, weight in zip(TERMS[views], (0.2, 0.3), strict=True)
    )
    assert method.terms == {
        **base.terms,
        "calibration": calibration,
        "preservation": preservation,
    }
    assert method.labeler == base.labeler
    assert method.reads == base.reads | set(ALIKE[:views])
    loss, terms = method.loss(outputs)
    added = 0.2 * terms["calibration"] + 0.3 * terms["preservation"]
    np.testing.assert_allclose(loss, base.loss(outputs)[0] + added, rtol=1e-5)


def test_its_knobs_arrive_where_they_belong():
    assert adc(erm()).terms["calibration"] == Calibration(0.1, 0.5, 3.0, "embedding")
    assert adc(erm()).terms["preservation"] == Preservation(0.1, 0.5, 3.0, "embedding")
    knobs = {**HOW, "vectors": "features"}
    for base, views in ((erm(), "both"), (simclr(), "both"), (simclr(), None)):
        terms = adc(base, nu=1.0, upsilon=0.5, views=views, **knobs).terms
        assert terms["calibration"] == PairCalibration(1.0, 0.3, 5.0, "features")
        assert terms["preservation"] == PairPreservation(0.5, 0.3, 5.0, "features")
    alone = adc(simclr(), views="strong").terms
    assert alone["calibration"] == Calibration() and alone["preservation"] == Preservation()


def test_without_the_view_it_reads_it_says_so():
    with pytest.raises(InputError, match="needs a pass over second views"):
        PairCalibration()(everything()._replace(second=None))
    with pytest.raises(InputError, match="needs a pass over strong views"):
        Preservation()(everything()._replace(strong=None))
