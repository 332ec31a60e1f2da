import numpy as np
import pytest
from scipy import stats

from jaxclr.report.paired import Difference, paired_difference


def test_it_is_the_interval_of_a_one_sample_t_test_over_the_shared_pairs():
    rng = np.random.default_rng(0)
    pairs = [(target, seed) for target in ("day", "night", "dusk") for seed in (1, 2)]
    one, other = (dict(zip(pairs, rng.normal(70, 5, 6), strict=True)) for _ in range(2))
    found = paired_difference(one | {("noon", 1): 9.0}, other | {("day", 7): 1.0})
    gaps = [one[pair] - other[pair] for pair in pairs]
    low, high = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
    assert found.pairs == 6
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))


def test_a_single_pair_has_a_difference_and_no_interval():
    assert paired_difference({("day", 1): 5.0}, {("day", 1): 3.0}) == Difference(2.0, None, 1)


def test_runs_that_share_no_pair_have_no_difference():
    assert paired_difference({("day", 1): 5.0}, {("day", 2): 3.0}) is None


def test_what_was_not_measured_is_no_pair():
    one = {("day", 1): 5.0, ("day", 2): float("nan")}
    assert paired_difference(one, {("day", 1): 3.0, ("day", 2): 3.0}).pairs == 1
