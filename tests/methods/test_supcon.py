import jax
import numpy as np
import pytest
from everything import ALIKE, directions, everything, unlabeled_shuffled
from outcomes import IS_LABELED, B

from jaxclr.errors import InputError
from jaxclr.methods.erm import Nobody, Supervised, erm
from jaxclr.methods.fixclr import fixclr
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.methods.method import Method
from jaxclr.methods.supcon import LabelContrast, supcon

MIXED = [1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0]


def by_hand(outputs, temperature=0.1):
    """View after view, among all views that are relied upon."""
    z = directions(np.concatenate([getattr(outputs, view).embedding for view in ALIKE]))
    label = 2 * np.where(IS_LABELED, outputs.given, outputs.pseudo.label).tolist()
    weight = 2 * np.where(IS_LABELED, 1.0, outputs.pseudo.weight).tolist()
    total = counted = 0.0
    for a in range(2 * B):
        others = [b for b in range(2 * B) if b != a]
        sums = sum(weight[b] * np.exp(z[a] @ z[b] / temperature) for b in others)
        positives = [p for p in others if label[p] == label[a]]
        share = sum(weight[p] for p in positives)
        if share * weight[a] > 0:
            logs = [weight[p] * np.log(np.exp(z[a] @ z[p] / temperature) / sums) for p in positives]
            total -= weight[a] * sum(logs) / share
            counted += weight[a]
    return total / counted


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("trusted", [MIXED, [0.5, 0.2] * 6, [0] * B, [1] * B])
def test_it_is_the_mean_over_views_that_are_given_or_trusted_a_label(trusted, temperature):
    outputs = everything(trusted=trusted)
    value = LabelContrast(temperature=temperature)(outputs)
    np.testing.assert_allclose(value, by_hand(outputs, temperature), rtol=1e-5)


def test_gradients_reach_the_views_that_are_relied_upon_and_nothing_else():
    outputs = everything(trusted=MIXED)
    arrays = {name: getattr(outputs, name) for name in ("labeled", "weak", *ALIKE)}
    slopes = jax.grad(lambda x: LabelContrast()(outputs._replace(**x)))(arrays)
    for view in ALIKE:
        reached = (slopes[view].embedding != 0).any(1)
        assert reached.tolist() == (IS_LABELED | (np.array(MIXED) > 0)).tolist()
        slopes[view] = slopes[view]._replace(embedding=None)
    assert not any(x.any() for x in jax.tree.leaves(slopes))


def test_the_order_of_unlabeled_images_does_not_matter():
    outputs = everything(trusted=MIXED)
    moved = LabelContrast()(unlabeled_shuffled(outputs))
    np.testing.assert_allclose(moved, LabelContrast()(outputs), rtol=1e-5)


def test_it_goes_onto_any_base_by_default_fixmatch():
    assert supcon() == supcon(fixmatch())
    method = supcon(erm(), weight=2.0, temperature=0.3)
    assert method.terms == {"supervised": Supervised(), "label_contrast": LabelContrast(2.0, 0.3)}
    assert method.labeler == Nobody()
    outputs = everything(trusted=MIXED)
    loss, terms = fixclr(method, weight=1.0).loss(outputs)
    assert list(terms) == ["supervised", "label_contrast", "repulsion"]
    expected = terms["supervised"] + 2 * by_hand(outputs, 0.3) + terms["repulsion"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_alone_and_with_given_labels_only_it_is_the_papers_own():
    outputs = everything(trusted=[0] * B)
    method = supcon(Method({}, Nobody()))
    assert method.reads == {"pseudo", "strong", "second"}
    np.testing.assert_allclose(method.loss(outputs)[0], by_hand(outputs), rtol=1e-5)


def test_without_a_second_view_it_says_so():
    with pytest.raises(InputError, match="needs a pass over second strong views"):
        LabelContrast()(everything()._replace(second=None))
