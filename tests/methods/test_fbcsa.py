import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import SIZES, B, K, N, outcome, prediction, surprise

from jaxclr.errors import InputError
from jaxclr.methods.erm import erm
from jaxclr.methods.fbcsa import Alignment, Conformity, DomainMeans, fbcsa, other_domains
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import FixedThreshold, fixmatch
from jaxclr.types import Outputs, Prediction, PseudoLabels

WIDTH = 4
TERMS = [Conformity(), Alignment()]


def unit(x) -> np.ndarray:
    x = np.asarray(x, np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


def imagined(k: int, n: int, seed: int = 0, rows: int = 4) -> Outputs:
    """Of k classes and n domains: random features, class means, guesses and trust."""
    rng, b = np.random.default_rng(seed), 2 * rows * n
    features = jnp.asarray(rng.normal(size=(b, WIDTH)), jnp.float32)
    weight = jnp.asarray(rng.choice([0.0, 0.5, 1.0], b), jnp.float32)
    said = jnp.full((b, k), 1 / k)
    guess = PseudoLabels(jnp.asarray(rng.integers(0, k, b)), said.max(1), weight, said)
    return Outputs(
        labeled=None,
        weak=None,
        strong=None,
        label=jnp.zeros(rows * n, int),
        pseudo=guess,
        given=jnp.full(b, -1),
        domain=jnp.arange(b) % n,
        num_domains=n,
        progress=jnp.float32(0),
        key=jax.random.key(seed),
        learned=Prediction(said, features, features),
        bank=jnp.asarray(0.7 * unit(rng.normal(size=(n, k, WIDTH))), jnp.float32),
    )


def learned(outputs: Outputs, **changes) -> Outputs:
    """An imaginary outcome that these terms can read."""
    rng = np.random.default_rng(11)
    means = jnp.asarray(unit(rng.normal(size=(N, K, outputs.strong.features.shape[1]))))
    changes = {"bank": means.astype(jnp.float32), **changes}
    return outputs._replace(learned=prediction(rng, B), **changes)


def parts(outputs: Outputs, loss) -> list[float]:
    """The value for every way to draw: what each domain's mean may be, summed over domains."""
    z, bank = unit(outputs.learned.features), np.asarray(outputs.bank, np.float64)
    pseudo, n = outputs.pseudo, outputs.num_domains
    k = bank.shape[1]
    counts = range(2, max(int(np.ceil(k / 2)), 3))
    choices = []
    for domain in range(n):
        own = [e for e in range(len(z)) if outputs.domain[e] == domain]
        others = [d for d in range(n) if d != domain] or [domain]
        means = []
        for other, count in itertools.product(others, counts):
            total = 0.0
            for e in own:
                s, there = ([z[e] @ mu for mu in bank[d]] for d in (domain, other))
                total += float(pseudo.weight[e]) * loss(s, there, int(pseudo.label[e]), count)
            means.append(total / len(own))
        choices.append(means)
    return [sum(means) for means in itertools.product(*choices)]


def conformity(s, there, label, count) -> float:
    return surprise(s, label) + surprise(there, label)


def alignment(s, there, label, count) -> float:
    nearest = sorted(range(len(s)), key=lambda c: -s[c])
    away = [s[c] for c in nearest[1:count]]
    return 2 - s[nearest[0]] - there[nearest[0]] + (np.mean(away) if away else 0)


def drawn(term, loss, outputs: Outputs, keys: int) -> list[set[int]]:
    """Which of the ways to draw each key took: those whose value is the term's."""
    values, run = (
        np.array(parts(outputs, loss)),
        jax.jit(lambda key: term(outputs._replace(key=key))),
    )
    found = [float(run(jax.random.key(i))) for i in range(keys)]
    taken = [
        set(np.flatnonzero(np.isclose(values, value, rtol=1e-5, atol=1e-6))) for value in found
    ]
    assert all(taken), "a value that no draw explains"
    return taken


@pytest.mark.parametrize(("term", "loss"), [(Conformity(), conformity), (Alignment(), alignment)])
@pytest.mark.parametrize(("k", "n"), [(1, 2), (2, 2), (3, 1), (4, 2), (6, 2)])
def test_the_terms_are_the_loops_of_their_formulas(term, loss, k, n):
    """Where nothing is left to chance: one other domain at most, and one mean that repels."""
    outputs = imagined(k, n)
    (expected,) = set(parts(outputs, loss))
    np.testing.assert_allclose(term(outputs), expected, rtol=1e-5, atol=1e-6)


def test_every_other_domain_is_drawn_for_every_domain_and_no_other_value_comes_out():
    taken = drawn(Conformity(), conformity, imagined(4, 3), keys=80)
    assert set.union(*taken) == set(range(2**3))


def test_how_many_means_repel_is_drawn_for_every_domain_from_two_to_below_half_the_classes():
    # Nine classes: two, three or four; two domains, so the other one is known.
    taken = drawn(Alignment(), alignment, imagined(9, 2), keys=120)
    assert set.union(*taken) == set(range(3**2))
    # Seven: two or three.
    assert set.union(*drawn(Alignment(), alignment, imagined(7, 2), keys=40)) == set(range(2**2))


def test_both_terms_compare_with_the_same_other_domain():
    outputs = imagined(4, 3)
    pairs = [(Conformity(), conformity), (Alignment(), alignment)]
    one, other = (drawn(term, loss, outputs, keys=20) for term, loss in pairs)
    assert one == other and all(len(ways) == 1 for ways in one)


def test_another_domain_is_never_ones_own_and_all_others_come_equally_often():
    keys = jax.random.split(jax.random.key(0), 3000)
    others = np.asarray(jax.vmap(lambda key: other_domains(4, key))(keys))
    for domain in range(4):
        counts = np.bincount(others[:, domain], minlength=4)
        assert counts[domain] == 0
        assert (abs(np.delete(counts, domain) - 1000) < 5 * np.sqrt(3000 * 2 / 9)).all()
    pairs = np.bincount(4 * others[:, 0] + others[:, 1], minlength=16)
    assert (pairs > 0).sum() == 9
    assert other_domains(1, keys[0]).tolist() == [0]


@pytest.mark.parametrize("term", TERMS)
def test_the_draws_depend_on_the_key_alone(term):
    outputs = imagined(9, 3)
    values = [float(term(outputs._replace(key=jax.random.key(i)))) for i in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    moved = outputs._replace(progress=jnp.float32(0.9), memory=jnp.ones(3))
    assert float(term(moved._replace(key=jax.random.key(1)))) == values[0]


@pytest.mark.parametrize("term", TERMS)
def test_trusted_guesses_move_the_features_and_nothing_else_has_a_gradient(term):
    outputs = imagined(9, 2)

    def value(features):
        return term(outputs._replace(learned=outputs.learned._replace(features=features)))

    slope = jax.grad(value)(outputs.learned.features)
    assert ((slope != 0).any(1) == (outputs.pseudo.weight > 0)).all()
    # Their length is free.
    across = (slope * outputs.learned.features).sum(1)
    np.testing.assert_allclose(across, 0, atol=1e-6)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("case", ["empty bank", "zero features", "nobody", "one class missing"])
def test_the_edges_are_finite_with_finite_gradients(term, case):
    outputs = imagined(6, 2)
    if case == "empty bank":
        outputs = outputs._replace(bank=DomainMeans().init(SIZES._replace(num_classes=6, width=4)))
    if case == "zero features":
        none = jnp.zeros_like(outputs.learned.features)
        outputs = outputs._replace(learned=outputs.learned._replace(features=none))
    if case == "nobody":
        nobody = outputs.pseudo._replace(weight=jnp.zeros_like(outputs.pseudo.weight))
        outputs = outputs._replace(pseudo=nobody)
    if case == "one class missing":
        outputs = outputs._replace(bank=outputs.bank.at[1, 3].set(0))

    def value(features):
        return term(outputs._replace(learned=outputs.learned._replace(features=features)))

    found, slope = jax.value_and_grad(value)(outputs.learned.features)
    assert np.isfinite(found) and np.isfinite(slope).all()
    if case in ("empty bank", "nobody"):
        assert not slope.any()
    if case == "nobody":
        assert found == 0
    if case == "empty bank":
        share = float(outputs.pseudo.weight.mean())
        each = 2 * np.log(6) if isinstance(term, Conformity) else 2
        assert found == pytest.approx(2 * share * each, rel=1e-5)


@pytest.mark.parametrize("term", TERMS)
def test_half_precision_features_are_compared_in_single_precision(term):
    outputs = imagined(6, 2)
    rough = outputs.learned.features.astype(jnp.bfloat16)
    values = [
        term(outputs._replace(learned=outputs.learned._replace(features=features)))
        for features in (rough, rough.astype(jnp.float32))
    ]
    assert values[0].dtype == jnp.float32
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("term", TERMS)
def test_what_is_missing_is_told(term):
    with pytest.raises(InputError, match="a pass over weak views with gradient"):
        term(imagined(4, 2)._replace(learned=None))
    with pytest.raises(InputError, match=r"DomainMeans\(\)"):
        term(imagined(4, 2)._replace(bank=()))


def test_its_knobs_arrive_where_they_belong():
    method = fbcsa(fixmatch(threshold=0.7), conformity_weight=0.3, alignment_weight=0.0)
    assert method.labeler == FixedThreshold(0.7)
    assert list(method.terms) == ["supervised", "consistency", "conformity", "alignment"]
    assert method.terms["conformity"].weight == 0.3 and method.terms["alignment"].weight == 0.0
    assert method.bank == DomainMeans()
    assert method.reads == {"labeled", "pseudo", "strong", "learned"}
    assert [term.weight for term in fbcsa().terms.values()] == [1.0, 1.0, 0.1, 0.5]


def test_it_goes_with_fixclr_whichever_comes_first():
    one, other = fixclr(fbcsa()), fbcsa(fixclr())
    assert one == other and one.bank == DomainMeans()
    loss, terms = one.loss(learned(outcome()))
    expected = sum(one.terms[name].weight * value for name, value in terms.items())
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert "pseudo" in fbcsa(erm()).reads


def test_a_second_bank_is_refused():
    with pytest.raises(InputError, match=r"keeps DomainMeans\(\) already"):
        fbcsa(fbcsa())
