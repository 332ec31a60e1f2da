import jax
import numpy as np
import pytest
from everything import ALIKE, directions, everything
from outcomes import B

from jaxclr.errors import InputError
from jaxclr.methods.simsiam import PredictsOther, simsiam


def test_it_is_one_less_the_mean_cosine_of_each_views_prediction_with_the_other_view():
    outputs = everything()
    predicted = [directions(getattr(outputs, view).predicted) for view in ALIKE]
    embedding = [directions(getattr(outputs, view).embedding) for view in ALIKE]
    total = 0.0
    for i in range(B):
        total += (1 - predicted[0][i] @ embedding[1][i]) / 2
        total += (1 - predicted[1][i] @ embedding[0][i]) / 2
    np.testing.assert_allclose(PredictsOther()(outputs), total / B, rtol=1e-5)


def test_its_two_views_may_change_places():
    outputs = everything()
    swapped = outputs._replace(strong=outputs.second, second=outputs.strong)
    np.testing.assert_allclose(PredictsOther()(swapped), PredictsOther()(outputs), rtol=1e-6)


def test_gradients_reach_what_predicts_and_stop_at_what_is_predicted():
    outputs = everything()
    arrays = {view: getattr(outputs, view) for view in ALIKE}
    slopes = jax.grad(lambda x: PredictsOther()(outputs._replace(**x)))(arrays)
    for view in ALIKE:
        assert (slopes[view].predicted != 0).any(1).all()
        assert not slopes[view].embedding.any()


def test_it_asks_for_a_predictor():
    outputs = everything()
    without = outputs._replace(second=outputs.second._replace(predicted=None))
    with pytest.raises(InputError, match=r"needs a model with predictor=Mlp\(\)"):
        simsiam().loss(without)
