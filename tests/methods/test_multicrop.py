"""What small windows are asked to tell of whole views."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from everything import ALIKE, E, directions, everything
from outcomes import B

from jaxclr.errors import InputError
from jaxclr.methods.byol import PredictsAverage, byol
from jaxclr.methods.multicrop import WindowsPredictAverage, WindowsPredictViews
from jaxclr.methods.simsiam import PredictsOther, simsiam

C = 3
METHODS = {"byol": byol(windows_weight=2.0), "simsiam": simsiam(windows_weight=2.0)}
TERMS = {"byol": WindowsPredictAverage(2.0), "simsiam": WindowsPredictViews(2.0)}
WHOLE = {"byol": PredictsAverage(), "simsiam": PredictsOther()}
both = pytest.mark.parametrize("name", METHODS)


def with_windows(seed: int = 0, count: int = C):
    """Outputs of which small windows are predicted, too."""
    outputs, rng = everything(seed), np.random.default_rng([seed, 2])
    windows = [
        outputs.strong._replace(
            embedding=jnp.asarray(rng.normal(size=(B, E)), jnp.float32),
            predicted=jnp.asarray(rng.normal(size=(B, E)), jnp.float32),
        )
        for _ in range(count)
    ]
    return outputs._replace(crops=tuple(windows))


def seen_whole(name, outputs):
    """What is to be predicted, of both views."""
    views = outputs.average if name == "byol" else (outputs.strong, outputs.second)
    return [directions(view.embedding) for view in views]


@both
def test_it_is_the_double_loop_over_windows_and_views(name):
    outputs, total = with_windows(), 0.0
    for i in range(B):
        for window in outputs.crops:
            q = directions(window.predicted)[i]
            for view in seen_whole(name, outputs):
                squared = ((q - view[i]) ** 2).sum()
                total += squared if name == "byol" else squared / 2 / 2
    np.testing.assert_allclose(TERMS[name](outputs), total / B / C, rtol=1e-5)


@both
def test_weighed_by_the_number_of_windows_every_pair_counts_alike(name):
    """SwAV's and DINO's mean over all pairs of a view and another view or window of the image."""
    outputs, squared = with_windows(), []
    whole = seen_whole(name, outputs)
    for q, view in zip((outputs.strong, outputs.second), whole[::-1], strict=True):
        squared.append(((directions(q.predicted) - view) ** 2).sum(1))
    for window in outputs.crops:
        squared += [((directions(window.predicted) - view) ** 2).sum(1) for view in whole]
    pairs = 2 + 2 * C
    assert len(squared) == pairs
    expected = np.mean(squared) * (2 if name == "byol" else 1 / 2)
    found = (WHOLE[name](outputs) + C * TERMS[name](outputs)) / (1 + C)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@both
def test_the_order_of_windows_does_not_matter(name):
    outputs = with_windows()
    turned = outputs._replace(crops=outputs.crops[::-1])
    np.testing.assert_allclose(TERMS[name](turned), TERMS[name](outputs), rtol=1e-6)


@both
def test_windows_that_say_what_the_view_says_are_at_no_distance(name):
    outputs = with_windows(count=1)
    view = (outputs.average if name == "byol" else (outputs.strong,))[0]
    alike = view._replace(predicted=3 * view.embedding)
    same = outputs._replace(crops=(alike,), average=(view, view), strong=view, second=view)
    np.testing.assert_allclose(TERMS[name](same), 0, atol=1e-6)


@both
def test_gradients_reach_the_windows_predictions_alone(name):
    outputs = with_windows()
    arrays = {field: getattr(outputs, field) for field in (*ALIKE, "average", "crops")}
    slopes = jax.grad(lambda x: TERMS[name](outputs._replace(**x)))(arrays)
    for slope in slopes["crops"]:
        assert (slope.predicted != 0).any(1).all()
    slopes["crops"] = [slope._replace(predicted=None) for slope in slopes["crops"]]
    assert not any(x.any() for x in jax.tree.leaves(slopes))


@both
def test_it_is_finite_where_predictions_are_zero(name):
    outputs = with_windows()
    zero = tuple(w._replace(predicted=jnp.zeros((B, E))) for w in outputs.crops)
    value, slopes = jax.value_and_grad(lambda x: TERMS[name](outputs._replace(crops=x)))(zero)
    assert np.isfinite(value) and all(np.isfinite(x).all() for x in jax.tree.leaves(slopes))


@both
def test_the_method_is_the_plain_one_and_the_windows_by_their_weight(name):
    outputs, method = with_windows(), METHODS[name]
    loss, terms = method.loss(outputs)
    assert list(terms) == ["prediction", "windows"] and "crops" in method.reads
    expected = WHOLE[name](outputs) + 2 * TERMS[name](outputs)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    plain = {"byol": byol, "simsiam": simsiam}[name]()
    assert list(plain.terms) == ["prediction"] and "crops" not in plain.reads


@both
def test_windows_that_are_missing_and_predictions_that_are_missing_are_named(name):
    outputs = with_windows()
    with pytest.raises(InputError, match=r"needs a pass over small windows: SelfSupervised"):
        METHODS[name].loss(outputs._replace(crops=None))
    blank = tuple(window._replace(predicted=None) for window in outputs.crops)
    with pytest.raises(InputError, match=r"needs a model with predictor=Mlp\(\)"):
        METHODS[name].loss(outputs._replace(crops=blank))
