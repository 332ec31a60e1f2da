import jax
import numpy as np
import pytest
from everything import ALIKE, directions, everything
from outcomes import B

from jaxclr.errors import InputError
from jaxclr.methods.byol import PredictsAverage, byol


def test_it_is_the_mean_squared_distance_to_the_average_of_the_other_view_both_ways():
    outputs = everything()
    to_second, to_strong = (directions(getattr(outputs, view).predicted) for view in ALIKE)
    strong, second = (directions(seen.embedding) for seen in outputs.average)
    total = 0.0
    for i in range(B):
        total += ((to_second[i] - second[i]) ** 2).sum()
        total += ((to_strong[i] - strong[i]) ** 2).sum()
    np.testing.assert_allclose(PredictsAverage()(outputs), total / B, rtol=1e-5)


def test_its_two_views_may_change_places():
    outputs = everything()
    swapped = outputs._replace(
        strong=outputs.second, second=outputs.strong, average=outputs.average[::-1]
    )
    np.testing.assert_allclose(PredictsAverage()(swapped), PredictsAverage()(outputs), rtol=1e-6)


def test_gradients_reach_the_predictions_and_not_the_average():
    outputs = everything()
    arrays = {name: getattr(outputs, name) for name in (*ALIKE, "average")}
    slopes = jax.grad(lambda x: PredictsAverage()(outputs._replace(**x)))(arrays)
    for view in ALIKE:
        assert (slopes[view].predicted != 0).any(1).all()
        slopes[view] = slopes[view]._replace(predicted=None)
    assert not any(x.any() for x in jax.tree.leaves(slopes))


def test_it_asks_for_averaged_weights_and_a_predictor():
    assert byol().reads == {"strong", "second", "average"}
    outputs = everything()
    with pytest.raises(InputError, match="needs averaged weights: an experiment with ema_decay"):
        byol().loss(outputs._replace(average=None))
    without = outputs._replace(strong=outputs.strong._replace(predicted=None))
    with pytest.raises(InputError, match=r"needs a model with predictor=Mlp\(\)"):
        byol().loss(without)
