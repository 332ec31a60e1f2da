import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import LABELED, SIZES, N, evidence, outcome, surprise

from jaxclr.errors import InputError
from jaxclr.methods.debiaspl import debiaspl
from jaxclr.methods.defixmatch import defixmatch
from jaxclr.methods.erm import Nobody, Supervised, erm
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.freematch import LearningStatus, freematch
from jaxclr.methods.groupdro import DomainShares, Tilted, WorstDomains, groupdro
from jaxclr.methods.memory import Around, recalled
from jaxclr.methods.simclr import simclr


def risks_of(outputs):
    """The risk of each domain, image by image."""
    logits = np.asarray(outputs.labeled.logits)
    losses = [surprise(logits[e], outputs.label[e]) for e in range(LABELED)]
    return [np.mean(losses[i::N]) for i in range(N)]


def test_shares_follow_the_risks_of_every_step_and_weigh_those_of_the_same_step():
    method = groupdro(step_size=0.7)
    memory, q = method.labeler.init(SIZES), np.ones(N)
    for seed in range(3):
        outputs = outcome(seed)._replace(memory=memory)
        memory = method.labeler.remember(memory, outputs)
        risk = np.array(risks_of(outputs))
        for i in range(N):
            q[i] *= np.exp(0.7 * risk[i])
        q /= q.sum()
        np.testing.assert_allclose(memory.own.share, q, rtol=1e-4)
        value = method.terms["supervised"](outputs._replace(memory=memory))
        np.testing.assert_allclose(value, N * (q @ risk), rtol=1e-4)


def test_at_equal_shares_it_is_the_cross_entropy_of_the_base():
    memory = groupdro(step_size=0.0).labeler.init(SIZES)
    outputs = outcome()._replace(memory=memory)
    np.testing.assert_allclose(WorstDomains()(outputs), Supervised()(outputs), rtol=1e-6)


def test_shares_have_no_gradient_and_each_domain_gets_its_share_of_it():
    memory = Around(DomainShares(jnp.array([0.9, 0.1])), ())
    outputs = outcome()._replace(memory=memory)

    def slopes(term):
        def value(logits):
            return term(outputs._replace(labeled=outputs.labeled._replace(logits=logits)))

        return jax.grad(value)(outputs.labeled.logits)

    for i, share in enumerate((0.9, 0.1)):
        expected = N * share * slopes(Supervised())[i::N]
        np.testing.assert_allclose(slopes(WorstDomains())[i::N], expected, rtol=1e-5)


def test_all_but_the_cross_entropy_of_the_base_stays_as_it_is():
    base = defixmatch()
    method = groupdro(base, step_size=0.1)
    assert method.labeler == Tilted(base.labeler, 0.1)
    assert method.terms["supervised"] == WorstDomains(base.terms["supervised"].weight)
    rest = method.terms.keys() - {"supervised"}
    assert rest and all(method.terms[name] == base.terms[name] for name in rest)
    assert list(method.terms) == list(base.terms)
    assert groupdro() == groupdro(erm())
    assert groupdro().labeler == Tilted(Nobody(), 0.01)


def test_guesses_and_their_memory_are_the_base_s():
    base = freematch()
    said = evidence(outcome().weak)
    memory = groupdro(base).labeler.init(SIZES)
    expected, pseudo = base.labeler.label(base.labeler.init(SIZES), said)
    after, found = groupdro(base).labeler.label(memory, said)
    for one, other in ((after.within, expected), (found, pseudo)):
        jax.tree.map(np.testing.assert_array_equal, one, other)
    np.testing.assert_array_equal(after.own.share, memory.own.share)


@pytest.mark.parametrize("base", [freematch(), debiaspl()], ids=["freematch", "debiaspl"])
def test_terms_of_the_base_find_the_memory_of_its_labeler(base):
    memory = base.labeler.init(SIZES)
    _, plain = base.loss(outcome()._replace(memory=memory))
    around = Around(DomainShares(jnp.full(N, 1 / N)), memory)
    _, held = groupdro(base).loss(outcome()._replace(memory=around))
    for name in plain:
        np.testing.assert_allclose(held[name], plain[name], rtol=1e-6)


def test_memories_are_found_however_deep_and_missed_where_there_are_none():
    status = freematch().labeler.init(SIZES)
    shares = DomainShares(jnp.ones(N))
    deep = Around((), Around(shares, status))
    assert recalled(deep, LearningStatus) is status
    assert recalled(deep, DomainShares) is shares
    assert recalled((), DomainShares) is None
    assert recalled(Around((), ()), DomainShares) is None


def test_a_base_without_the_cross_entropy_is_refused_and_a_missing_memory_is_named():
    with pytest.raises(InputError, match=r"Give a base with Supervised\(\) among its terms"):
        groupdro(simclr())
    with pytest.raises(InputError, match="Group DRO weighs the domains"):
        groupdro(groupdro())
    with pytest.raises(InputError, match="needs the memory of group DRO's labeler"):
        WorstDomains()(outcome())


def test_a_labeler_that_is_not_told_otherwise_remembers_nothing_of_the_passes():
    assert fixmatch().labeler.remember(("kept",), outcome()) == ("kept",)
