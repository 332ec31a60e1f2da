import numpy as np
import pytest
from everything import directions, everything
from outcomes import B

from jaxclr.methods.erm import Nobody
from jaxclr.methods.simclr import ViewContrast, simclr


def by_hand(outputs, temperature, decoupled):
    """View after view: the other view of the image among all views, or all of other images."""
    z = np.stack([directions(seen.embedding) for seen in (outputs.strong, outputs.second)])
    total = 0.0
    for v in range(2):
        for i in range(B):
            others = [(w, j) for w in range(2) for j in range(B) if (w, j) != (v, i)]
            if decoupled:
                others.remove((1 - v, i))
            sums = sum(np.exp(z[v, i] @ z[other] / temperature) for other in others)
            total += np.log(sums) - z[v, i] @ z[1 - v, i] / temperature
    return total / (2 * B)


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_it_is_the_mean_over_all_views_of_all_images(temperature, decoupled):
    outputs = everything()
    value = ViewContrast(temperature=temperature, decoupled=decoupled)(outputs)
    np.testing.assert_allclose(value, by_hand(outputs, temperature, decoupled), rtol=1e-5)


def test_its_knobs_arrive_where_they_belong():
    assert simclr().terms == {"contrast": ViewContrast(1.0, 0.5, False)}
    method = simclr(temperature=0.2, decoupled=True)
    assert method.terms == {"contrast": ViewContrast(1.0, 0.2, True)}
    assert method.labeler == Nobody()
