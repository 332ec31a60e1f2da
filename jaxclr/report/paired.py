"""How far one experiment is from another, pair by pair of runs that saw the same."""

import math
from collections.abc import Mapping
from typing import NamedTuple

Pair = tuple[str, int]
"""A target and a seed: runs of two experiments that share both learn from the same labels."""
COVERED = 0.95
"""Of how many intervals out of all, were the experiment repeated, the true mean is within."""


class Difference(NamedTuple):
    """A mean of paired differences, and how well it is known."""

    mean: float
    """In the unit of what was compared."""
    half: float | None
    """Half the width of its 95 % confidence interval; None of a single pair, which has none."""
    pairs: int
    """How many were compared."""


def paired_difference(
    values: Mapping[Pair, float], base: Mapping[Pair, float]
) -> Difference | None:
    r"""The mean difference over the pairs that both have, with its interval by Student's t.

    With :math:`\delta_i` the difference of pair :math:`i` of :math:`n`, and :math:`s` their sample
    standard deviation, the interval is

    .. math::
        \bar\delta \pm t_{0.975,\, n - 1} \frac{s}{\sqrt{n}}

    It takes the pairs for independent draws; those that share a target or a seed are not quite.

    Args:
        values: Of one experiment; what is not a finite number is left out.
        base: Of the other, which is taken away.

    Returns:
        The mean and half the interval's width; None where the two share no pair.
    """
    gaps = [values[pair] - base[pair] for pair in sorted(values.keys() & base.keys())]
    gaps = [gap for gap in gaps if math.isfinite(gap)]
    count = len(gaps)
    if not count:
        return None
    mean = math.fsum(gaps) / count
    if count == 1:
        return Difference(mean, None, 1)
    from scipy.special import stdtrit

    variance = math.fsum((gap - mean) ** 2 for gap in gaps) / (count - 1)
    t = float(stdtrit(count - 1, (1 + COVERED) / 2))
    return Difference(mean, t * math.sqrt(variance / count), count)
