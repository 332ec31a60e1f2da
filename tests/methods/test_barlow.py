import numpy as np
import pytest
from everything import E, everything

from jaxclr.methods.barlow import Decorrelation, barlow


@pytest.mark.parametrize("off_diagonal", [0.0051, 0.5])
def test_it_is_the_sum_over_pairs_of_features_of_the_two_views(off_diagonal):
    outputs = everything()
    views = (outputs.strong.embedding, outputs.second.embedding)
    strong, second = (np.asarray(view, np.float64).T for view in views)
    total = 0.0
    for i in range(E):
        for j in range(E):
            correlation = np.corrcoef(strong[i], second[j])[0, 1]
            total += (1 - correlation) ** 2 if i == j else off_diagonal * correlation**2
    value = Decorrelation(off_diagonal=off_diagonal)(outputs)
    np.testing.assert_allclose(value, total, rtol=1e-5)


def test_its_knob_arrives():
    assert barlow().terms == {"decorrelation": Decorrelation(1.0, 0.0051)}
    assert barlow(off_diagonal=0.1).terms == {"decorrelation": Decorrelation(1.0, 0.1)}
