"""CORAL, MMD, IRM and V-REx as DomainBed's equations have them, on rows of several domains."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import LABELED, B, K, N, outcome, surprise

from jaxclr.errors import InputError
from jaxclr.methods.coral import MomentAlignment, StrongMomentAlignment, coral
from jaxclr.methods.erm import Nobody, Supervised, erm
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.groupdro import groupdro
from jaxclr.methods.irm import Invariance, irm
from jaxclr.methods.mean_teacher import mean_teacher
from jaxclr.methods.method import Method
from jaxclr.methods.mixing import MixUp
from jaxclr.methods.mmd import KernelAlignment, StrongKernelAlignment, mmd
from jaxclr.methods.vrex import RiskVariance, vrex
from jaxclr.types import Mixture

LATE = jnp.float32(0.5)
BY_DOMAIN = (MomentAlignment(), KernelAlignment(), Invariance(), RiskVariance())


@functools.cache
def compiled(term, n):
    return jax.jit(lambda outputs: term(outputs._replace(num_domains=n)))


def value(term, outputs):
    """The term's, by a program that is made once for outputs of one shape."""
    return compiled(term, outputs.num_domains)(outputs)


def means_and_covariances(x, y):
    """DomainBed's penalty of two domains, for CORAL."""
    apart = np.cov(x, rowvar=False) - np.cov(y, rowvar=False)
    return np.mean((x.mean(0) - y.mean(0)) ** 2) + np.mean(apart**2)


def gaussian_kernels(x, y):
    """DomainBed's penalty of two domains, for MMD."""

    def mean(a, b):
        squared = ((a[:, None] - b) ** 2).sum(-1)
        return sum(np.exp(-gamma * squared).mean() for gamma in 10.0 ** np.arange(-3, 4))

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def of_domains(vectors):
    """The rows of each domain: every N-th one."""
    vectors = np.asarray(vectors, np.float64)
    return [vectors[i::N] for i in range(N)]


def over_pairs(penalty, vectors):
    """The mean over pairs of domains."""
    parts = of_domains(vectors)
    return np.mean([penalty(parts[i], parts[j]) for i in range(N) for j in range(i)])


def risks_of(outputs, scale=1.0, rows=slice(None)):
    """The risk of each domain, over its labeled images in order, or some of them."""
    found = []
    for i in range(N):
        places = range(i, LABELED, N)[rows]
        logits = scale * np.asarray(outputs.labeled.logits, np.float64)
        found.append(np.mean([surprise(logits[e], outputs.label[e]) for e in places]))
    return np.array(found)


@pytest.mark.parametrize(
    "term, view, penalty",
    [
        (MomentAlignment(), "labeled", means_and_covariances),
        (StrongMomentAlignment(), "strong", means_and_covariances),
        (KernelAlignment(), "labeled", gaussian_kernels),
        (StrongKernelAlignment(), "strong", gaussian_kernels),
    ],
)
def test_alignment_is_the_mean_over_pairs_of_domains_in_proportion_to_the_sum_of_risks(
    term, view, penalty
):
    outputs = outcome()
    expected = N * over_pairs(penalty, getattr(outputs, view).features)
    np.testing.assert_allclose(value(term, outputs), expected, rtol=1e-4)
    assert term.reads == (view,)


def test_what_is_aligned_may_be_the_projector_s():
    outputs = outcome()
    embedding = 2 * outputs.strong.features[:, ::-1]
    outputs = outputs._replace(strong=outputs.strong._replace(embedding=embedding))
    term = coral(fixmatch(), vectors="embedding").terms["alignment"]
    expected = N * over_pairs(means_and_covariances, embedding)
    np.testing.assert_allclose(value(term, outputs), expected, rtol=1e-4)


@pytest.mark.parametrize("add", [coral, mmd])
def test_alignment_goes_by_what_the_base_reads_unless_told_otherwise(add):
    assert add() == add(erm()) != add(erm(), views="strong")
    assert add().reads == {"labeled"}
    assert add(fixmatch()).reads == fixmatch().reads
    *_, on_strong = add(fixmatch()).terms.values()
    *_, on_labeled = add(fixmatch(), views="labeled").terms.values()
    assert on_strong.reads == ("strong",) and on_labeled.reads == ("labeled",)
    assert add(erm(), views="strong").reads == {"labeled", "strong"}


def test_the_invariance_penalty_is_that_of_even_and_odd_labeled_images():
    outputs = outcome()._replace(progress=LATE)
    step = 1e-5

    def slopes(rows):
        ends = [risks_of(outputs, 1 + s * step, rows) for s in (1, -1)]
        return (ends[0] - ends[1]) / (2 * step)

    products = slopes(slice(0, None, 2)) * slopes(slice(1, None, 2))
    np.testing.assert_allclose(value(Invariance(), outputs), N * products.mean(), rtol=1e-4)


def test_the_variance_is_that_of_the_domains_risks():
    outputs = outcome()._replace(progress=LATE)
    expected = N * np.var(risks_of(outputs))
    np.testing.assert_allclose(value(RiskVariance(), outputs), expected, rtol=1e-4)


@pytest.mark.parametrize("add, key", [(irm, "invariance"), (vrex, "risk_variance")])
def test_penalties_count_once_at_first_and_by_their_weight_from_a_tenth_of_the_run_on(add, key):
    method, factors = add(), []
    for progress in (0.0, 0.0999, 0.1, 0.9):
        outputs = outcome()._replace(progress=jnp.float32(progress))
        whole = value(add(early=1.0).terms[key], outputs)
        factors.append(method.weighted({key: value(method.terms[key], outputs)})[key] / whole)
    strength = method.terms[key].weight
    np.testing.assert_allclose(factors, [1, 1, strength, strength], rtol=1e-5)


@pytest.mark.parametrize("term", BY_DOMAIN)
def test_domains_that_are_alike_have_nothing_to_pay(term):
    """Where the domains' images are the same, and each image is stated as it is."""
    outputs = outcome()._replace(progress=LATE)
    first = jax.tree.map(lambda x: jnp.repeat(x[::N], N, axis=0), outputs.labeled)
    label = jnp.repeat(outputs.label[::N], N)
    # So sure that no factor makes it better.
    logits = 40 * jax.nn.one_hot(label, K)
    outputs = outputs._replace(labeled=first._replace(logits=logits), label=label)
    np.testing.assert_allclose(value(term, outputs), 0, atol=1e-5)


@pytest.mark.parametrize("term", BY_DOMAIN)
def test_images_may_change_places_within_their_domain_and_half(term):
    outputs = outcome()._replace(progress=LATE)
    twice = jax.tree.map(lambda x: jnp.concatenate([x, x[::-1] * 0.5]), outputs.labeled)
    label = jnp.concatenate([outputs.label, outputs.label])
    # Rows two by two, so that parity stays.
    order = np.arange(2 * LABELED).reshape(-1, N)[[2, 3, 0, 1]].ravel()
    one = outputs._replace(labeled=twice, label=label)
    other = one._replace(labeled=jax.tree.map(lambda x: x[order], twice), label=label[order])
    np.testing.assert_allclose(value(term, other), value(term, one), rtol=1e-4)


def test_every_gradient_reaches_the_view_that_is_read_and_no_other():
    outputs = outcome()
    arrays = {"labeled": outputs.labeled, "strong": outputs.strong, "weak": outputs.weak}
    for method in (coral(), mmd(fixmatch()), irm(), vrex()):
        *_, term = method.terms.values()
        slopes = jax.jit(jax.grad(lambda x, term=term: term(outputs._replace(**x))))(arrays)
        moved = slopes.pop(term.reads[0])
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(moved))
        assert any(x.any() for x in jax.tree.leaves(moved))
        assert not any(x.any() for x in jax.tree.leaves(slopes))


def test_one_domain_alone_has_nothing_to_be_compared_with():
    outputs = outcome()._replace(num_domains=1, domain=jnp.zeros(B, int), progress=LATE)
    for term in (MomentAlignment(), StrongKernelAlignment(), RiskVariance()):
        assert value(term, outputs) == 0


def test_they_go_onto_any_base_and_onto_each_other_and_leave_it_as_it_is():
    base = fixclr()
    method = mean_teacher(groupdro(vrex(irm(mmd(coral(base), weight=0.5), weight=1.0))))
    assert list(method.terms)[:3] == list(base.terms) and len(method.terms) == 8
    assert method.terms["kernel_alignment"].weight == 0.5
    for add in (coral, mmd, irm, vrex, mean_teacher):
        more = add(base)
        assert {name: more.terms[name] for name in base.terms} == base.terms
        assert more.labeler == base.labeler and add() == add(erm())
        with pytest.raises(InputError, match="already has a term"):
            add(more)


def test_mixed_images_are_aligned_and_weighed_by_both_labels_and_not_made_invariant():
    for add in (coral, mmd, vrex):
        *_, term = add().terms.values()
        Method({"supervised": Supervised(), "more": term}, Nobody(), mixing=MixUp())
    with pytest.raises(InputError, match="takes each labeled image for one of its own class"):
        Method({"supervised": Supervised(), "more": Invariance()}, Nobody(), mixing=MixUp())
    outputs = outcome()._replace(progress=LATE)
    other = (outputs.label + 1) % K
    mixed = outputs._replace(mixture=Mixture(other, jnp.full(LABELED, 0.25)))
    own, theirs = risks_of(outputs), risks_of(outputs._replace(label=other))
    expected = N * np.var(0.25 * own + 0.75 * theirs)
    np.testing.assert_allclose(value(RiskVariance(), mixed), expected, rtol=1e-4)


def test_without_the_pass_they_read_they_say_what_is_missing():
    nothing = outcome()._replace(labeled=None, strong=None)
    said = functools.partial(pytest.raises, InputError)
    for term in BY_DOMAIN:
        with said(match="needs a pass over labeled images"):
            term(nothing)
    with said(match="needs a pass over strong views"):
        StrongMomentAlignment()(nothing)
