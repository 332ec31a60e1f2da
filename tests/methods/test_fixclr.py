import jax
import jax.numpy as jnp
import numpy as np
import pytest
from outcomes import IS_LABELED, LABELED, B, K, N, label_by, outcome

from jaxclr.errors import InputError
from jaxclr.methods.erm import erm
from jaxclr.methods.fixclr import Repulsion, fixclr
from jaxclr.methods.fixmatch import FixedThreshold, fixmatch


def by_hand(outputs, temperature=0.2, views=("strong",)):
    """The repulsion of every pair that exists, one class and one domain after another."""
    z = np.concatenate([np.asarray(getattr(outputs, v).features, np.float64) for v in views])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    label = np.where(IS_LABELED, outputs.given, outputs.pseudo.label).tolist()
    weight = np.where(IS_LABELED, 1.0, outputs.pseudo.weight).tolist()
    label, weight = label * len(views), weight * len(views)
    trusted = [e for e in range(len(z)) if weight[e] > 0]
    losses = []
    for j in range(K):
        for i in range(N):
            own = [e for e in trusted if label[e] == j]
            others = [e for e in trusted if label[e] != j and e % N == i]
            if own and others:
                terms = [
                    weight[a] * weight[b] * np.exp((z[a] @ z[b] - 1) / temperature)
                    for a in own
                    for b in others
                ]
                losses.append(np.log1p(sum(terms)))
    return losses


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("trusted", [[1, 0] * 6, [0.5] * B, [0] * B])
def test_it_is_the_mean_over_pairs_that_exist_labeled_by_what_is_given_or_trusted(
    trusted, temperature
):
    outputs = outcome(trusted=trusted)
    losses = by_hand(outputs, temperature)
    value = Repulsion(temperature=temperature)(outputs)
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-4)


def test_weak_views_join_in_when_asked():
    outputs = outcome()
    both = Repulsion(views="both")
    losses = by_hand(outputs, views=("strong", "weak"))
    np.testing.assert_allclose(both(outputs), np.mean(losses), rtol=1e-4)
    assert both(outputs) != Repulsion()(outputs)


@pytest.mark.parametrize("views", ["strong", "both"])
def test_centred_vectors_are_less_the_mean_of_their_own_domain_and_view(views):
    outputs = outcome()
    names = ("strong", "weak") if views == "both" else ("strong",)
    moved = {}
    for name in names:
        features = np.array(getattr(outputs, name).features, np.float64)
        for domain in range(N):
            features[domain::N] -= np.mean([features[e] for e in range(domain, B, N)], 0)
        moved[name] = getattr(outputs, name)._replace(features=features)
    losses = by_hand(outputs._replace(**moved), views=names)
    value = Repulsion(centred=True, views=views)(outputs)
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-4)
    assert not np.isclose(value, Repulsion(views=views)(outputs))


def test_the_sum_is_the_mean_times_the_number_of_pairs_that_exist():
    # Three images of two classes: one class and domain has no counterpart.
    outputs = outcome(trusted=[0] * B)
    given = outputs.given.at[IS_LABELED].set(jnp.array([0, 1, 0, 1]))
    outputs = outputs._replace(label=jnp.array([0, 1, 0, 1]), given=given)
    pairs = len(by_hand(outputs))
    assert pairs == 2
    mean, total = (Repulsion(reduction=how)(outputs) for how in ("mean", "sum"))
    np.testing.assert_allclose(total, pairs * mean, rtol=1e-6)
    assert mean > 0


def test_what_is_guessed_of_labeled_images_does_not_matter():
    outputs = outcome()
    pseudo = outputs.pseudo
    other = pseudo._replace(
        label=jnp.where(IS_LABELED, (pseudo.label + 1) % K, pseudo.label),
        weight=jnp.where(IS_LABELED, 0.0, pseudo.weight),
    )
    assert Repulsion()(outputs._replace(pseudo=other)) == Repulsion()(outputs)


def test_what_is_guessed_of_unlabeled_images_does():
    outputs = outcome(trusted=[1] * B)
    label = outputs.pseudo.label
    moved = outputs.pseudo._replace(label=label.at[-1].set((label[-1] + 1) % K))
    assert Repulsion()(outputs._replace(pseudo=moved)) != Repulsion()(outputs)


def test_where_no_two_classes_are_trusted_it_is_zero():
    outputs = outcome(trusted=[0] * B)
    outputs = outputs._replace(
        label=jnp.ones(LABELED, int), given=outputs.given.at[IS_LABELED].set(1)
    )
    for reduction in ("mean", "sum"):
        assert Repulsion(reduction=reduction)(outputs) == 0


def test_only_features_of_strong_views_are_pushed():
    outputs = outcome()
    arrays = {"labeled": outputs.labeled, "weak": outputs.weak, "strong": outputs.strong}
    slopes = jax.grad(lambda x: Repulsion()(outputs._replace(**x)))(arrays)
    assert slopes["strong"].features.any()
    slopes["strong"] = slopes["strong"]._replace(features=jnp.zeros(1))
    assert not any(x.any() for x in jax.tree.leaves(slopes))


def test_full_attraction_pulls_and_none_does_not():
    outputs = outcome()
    values = [float(Repulsion(attraction=a)(outputs)) for a in (0.0, 0.5, 1.0)]
    # A real positive is farther than the fixed one: the numerator falls, the loss grows.
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("base", [fixmatch(), fixmatch(threshold=0.5, unlabeled_weight=2.0), erm()])
def test_repulsion_goes_onto_any_base_and_leaves_it_as_it_is(base):
    before = dict(base.terms)
    method = fixclr(base, weight=3.0, temperature=0.2, reduction="sum", attraction=0.5)
    repulsion = Repulsion(weight=3.0, temperature=0.2, reduction="sum", attraction=0.5)
    assert method.terms == {**before, "repulsion": repulsion}
    assert method.labeler == base.labeler
    assert base.terms == before


def test_the_terms_of_the_base_keep_their_values():
    outputs = outcome()
    base, method = fixmatch(), fixclr(weight=4.0)
    plain, terms = base.loss(outputs)
    loss, more = method.loss(outputs)
    assert {name: more[name] for name in terms} == terms
    np.testing.assert_allclose(loss, plain + 4 * more["repulsion"], rtol=1e-6)


def test_its_base_is_fixmatch_unless_told_otherwise():
    assert fixclr() == fixclr(fixmatch())
    assert fixclr().labeler == FixedThreshold(0.95)


def test_it_is_put_on_only_once():
    with pytest.raises(InputError, match="already has a term named repulsion"):
        fixclr(fixclr())


def test_on_a_base_that_trusts_no_guess_given_labels_alone_repel():
    method = fixclr(base=erm())
    assert method.reads == {"labeled", "pseudo", "strong"}
    nobody = outcome(trusted=[0] * B)
    outputs = nobody._replace(pseudo=label_by(method.labeler, nobody.weak))
    np.testing.assert_allclose(
        method.loss(outputs)[1]["repulsion"], np.mean(by_hand(nobody)), rtol=1e-4
    )


def test_without_guesses_it_says_what_is_missing():
    outputs = outcome()._replace(weak=None, strong=None, pseudo=None)
    with pytest.raises(InputError, match="needs a pass over strong views"):
        fixclr().loss(outputs)
