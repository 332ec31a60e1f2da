import numpy as np
import pytest
from everything import directions, everything
from outcomes import B

from jaxclr.methods.dhel import DecoupledEnergies, dhel


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_it_is_the_mean_of_alignment_and_of_the_energies_within_each_view(temperature):
    outputs = everything()
    views = [directions(seen.embedding) for seen in (outputs.strong, outputs.second)]
    total = 0.0
    for i in range(B):
        total -= views[0][i] @ views[1][i] / temperature
        for z in views:
            others = sum(np.exp(z[i] @ z[j] / temperature) for j in range(B) if j != i)
            total += np.log(others)
    value = DecoupledEnergies(temperature=temperature)(outputs)
    np.testing.assert_allclose(value, total / B, rtol=1e-5)


def test_its_knob_arrives():
    assert dhel().terms == {"contrast": DecoupledEnergies(1.0, 0.5)}
    assert dhel(temperature=0.2).terms == {"contrast": DecoupledEnergies(1.0, 0.2)}
