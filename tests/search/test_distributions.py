"""Distributions beside scipy's quantiles."""

import numpy as np
import pytest
from scipy import stats

from jaxclr.search.distributions import Choice, Integer, LogUniform, Uniform


@pytest.mark.parametrize(
    "distribution, witness",
    [
        (LogUniform(1e-4, 1e-1), stats.loguniform(1e-4, 1e-1)),
        (Uniform(-0.5, 2.0), stats.uniform(-0.5, 2.5)),
        (Integer(3, 6), stats.randint(3, 7)),
    ],
    ids=lambda value: str(value) if isinstance(value, LogUniform | Uniform | Integer) else "",
)
def test_below_a_value_lies_the_share_that_scipy_says(distribution, witness):
    for share in np.arange(0.5, 12) / 12:
        expected = float(witness.ppf(share))
        assert distribution.at(float(share)) == pytest.approx(expected, rel=5e-4)


def test_the_ends_of_a_range_are_reached_and_never_passed():
    """Rounded to four digits, these bounds lie outside."""
    odd = LogUniform(0.0123444, 0.0654372)
    almost = float(np.nextafter(1.0, 0.0))
    assert (odd.at(0.0), odd.at(almost)) == (0.0123444, 0.0654372)
    assert Integer(3, 6).at(almost) == 6
    assert Choice(("a", "b")).at(almost) == "b"
