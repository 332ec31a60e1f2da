import numpy as np
from outcomes import IS_LABELED, LABELED, N, label_by, outcome, surprise

from jaxclr.methods.erm import Supervised, erm
from jaxclr.methods.fixmatch import FixedThreshold


def by_domain(outputs) -> float:
    """The mean of each domain, summed over the domains: one domain after another."""
    total = 0.0
    for domain in range(N):
        own = [e for e in range(LABELED) if outputs.domain[IS_LABELED][e] == domain]
        logits, label = np.asarray(outputs.labeled.logits), np.asarray(outputs.label)
        total += sum(surprise(logits[e], label[e]) for e in own) / len(own)
    return total


def test_it_is_the_mean_of_each_domain_summed_over_the_domains():
    outputs = outcome()
    np.testing.assert_allclose(Supervised()(outputs), by_domain(outputs), rtol=1e-6)


def test_nothing_but_labeled_images_is_looked_at():
    outputs = outcome()._replace(weak=None, strong=None, pseudo=None)
    loss, terms = erm().loss(outputs)
    np.testing.assert_allclose(loss, by_domain(outputs), rtol=1e-6)
    assert list(terms) == ["supervised"]
    assert terms["supervised"] == loss


def test_no_guess_is_ever_trusted():
    said = outcome().weak
    pseudo = label_by(erm().labeler, said)
    assert not pseudo.weight.any()
    trusting = label_by(FixedThreshold(0.0), said)
    # All but the trust is what others would say.
    for found, expected in zip(pseudo._replace(weight=trusting.weight), trusting, strict=True):
        np.testing.assert_array_equal(found, expected)
