"""Calibration, scores of classes and geometry against loops and scikit-learn."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from jaxclr import measures
from jaxclr.measures import (
    calibration_bins,
    class_scores,
    confusion,
    expected_calibration_error,
    negative_log_likelihood,
    similarities,
    uniformity,
)

quick = settings(deadline=None, max_examples=10, derandomize=True, database=None)


def predictions(n=200, k=5, seed=0):
    """Labels and guesses that are right about half of the time."""
    rng = np.random.default_rng(seed)
    label = rng.integers(k, size=n)
    return label, np.where(rng.uniform(size=n) < 0.5, label, rng.integers(k, size=n))


@quick
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 99))
def test_bins_and_error_are_those_of_a_loop_over_images(n, bins, seed):
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(size=n).astype(np.float32)
    right = rng.uniform(size=n) < confidence
    found = calibration_bins(confidence, right, bins=bins)
    members = [[] for _ in range(bins)]
    for sure, hit in zip(confidence, right, strict=True):
        (place,) = [i for i in range(bins) if i / bins < sure <= (i + 1) / bins]
        members[place].append((float(sure), float(hit)))
    error = 0.0
    for i, some in enumerate(members):
        assert found.images[i] == len(some)
        sure, hit = np.mean(some, axis=0) if some else (0.0, 0.0)
        np.testing.assert_allclose([found.confidence[i], found.accuracy[i]], [sure, hit])
        error += len(some) * abs(sure - hit)
    np.testing.assert_allclose(expected_calibration_error(found), 100 * error / n)


def test_a_bin_holds_its_upper_edge_and_the_first_one_zero():
    edges = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    bins = calibration_bins(edges, np.ones(5, bool), bins=4)
    np.testing.assert_array_equal(bins.images, [2, 1, 1, 1])


def test_who_is_sure_and_always_wrong_errs_by_all_and_who_is_always_right_by_nothing():
    sure = np.ones(4, np.float32)
    for right, error in ((False, 100.0), (True, 0.0)):
        assert expected_calibration_error(calibration_bins(sure, np.full(4, right))) == error


def test_likelihood_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(4), size=50)
    label = rng.integers(4, size=50)
    found = negative_log_likelihood(probabilities[np.arange(50), label])
    np.testing.assert_allclose(found, metrics.log_loss(label, probabilities, labels=range(4)))


def test_an_impossible_truth_costs_a_finite_price():
    assert negative_log_likelihood(np.zeros(2, np.float32)) == pytest.approx(126 * math.log(2))


@quick
@given(st.integers(1, 50), st.integers(2, 9), st.integers(0, 99))
def test_counts_and_scores_are_those_of_scikit_learn(n, k, seed):
    """With few images of many classes, some have no image, some no guess, and some neither."""
    label, guess = predictions(n, k, seed)
    counts = confusion(label, guess, k)
    np.testing.assert_array_equal(
        counts, metrics.confusion_matrix(label, guess, labels=np.arange(k))
    )
    found = class_scores(counts)
    named = {"average": "macro", "zero_division": 0}
    expected = [
        # Of scikit-learn's own name it warns of guesses of classes without images.
        metrics.recall_score(label, guess, labels=np.unique(label), **named),
        metrics.precision_score(label, guess, **named),
        metrics.recall_score(label, guess, **named),
        metrics.f1_score(label, guess, **named),
    ]
    np.testing.assert_allclose(found, 100 * np.array(expected))


def test_guesses_of_a_class_without_images_lower_the_macro_scores_and_no_balanced_accuracy():
    """Class 0 is found half, 1 always, 2 is only guessed, and 3 is neither there nor guessed."""
    found = class_scores(confusion(np.array([0, 0, 1]), np.array([0, 2, 1]), 4))
    expected = (0.5 + 1) / 2, (1 + 1 + 0) / 3, (0.5 + 1 + 0) / 3, (2 / 3 + 1 + 0) / 3
    np.testing.assert_allclose(found, 100 * np.array(expected))


def test_balanced_accuracy_is_that_of_scikit_learn():
    label, guess = predictions()
    found = class_scores(confusion(label, guess, 5)).balanced_accuracy
    assert found == pytest.approx(100 * metrics.balanced_accuracy_score(label, guess))


@quick
@given(st.integers(0, 20), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_similarities_are_means_over_all_pairs_of_two_images(m, k, n, seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(1, 1, (m, 3)).astype(np.float32)
    label, domain = rng.integers(-1, k, size=m), rng.integers(n, size=m)
    pairs = {"within": [], "across": [], "between": []}
    for a, b in itertools.combinations(range(m), 2):
        if label[a] < 0 or label[b] < 0:
            continue
        x, y = features[a].astype(float), features[b].astype(float)
        same = "within" if domain[a] == domain[b] else "across"
        kind = same if label[a] == label[b] else "between"
        pairs[kind].append(x @ y / math.sqrt((x @ x) * (y @ y)))
    found = similarities(features, label, domain)
    for kind, cosines in pairs.items():
        expected = np.mean(cosines) if cosines else None
        assert getattr(found, kind) == (None if expected is None else pytest.approx(expected))


@quick
@given(st.integers(2, 20), st.integers(0, 99), st.integers(1, 25))
def test_uniformity_is_the_mean_over_all_pairs_however_many_meet_at_once(m, seed, rows):
    features = np.random.default_rng(seed).normal(1, 1, (m, 4)).astype(np.float32)
    unit = features / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    potentials = [math.exp(-2 * ((x - y) ** 2).sum()) for x, y in itertools.combinations(unit, 2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "ROWS", rows)
        assert uniformity(features) == pytest.approx(math.log(np.mean(potentials)))


def test_the_length_of_features_says_nothing():
    rng = np.random.default_rng(2)
    features = rng.normal(1, 1, (12, 3)).astype(np.float32)
    scaled = features * rng.uniform(0.01, 100, (12, 1)).astype(np.float32)
    label, domain = np.arange(12) % 3, np.arange(12) % 2
    np.testing.assert_allclose(
        similarities(features, label, domain), similarities(scaled, label, domain), rtol=1e-5
    )
    assert uniformity(features) == pytest.approx(uniformity(scaled), rel=1e-5)


def test_where_there_is_nothing_to_compare_it_is_zero_or_none_and_never_nan():
    none, nobody = np.zeros(0, np.float32), np.zeros(0, int)
    assert expected_calibration_error(calibration_bins(none, np.zeros(0, bool))) == 0
    assert negative_log_likelihood(none) == 0
    assert class_scores(confusion(nobody, nobody, 3)) == (0, 0, 0, 0)
    one = np.ones((1, 2), np.float32)
    assert similarities(one, np.zeros(1, int), np.zeros(1, int)) == (None, None, None)
    assert uniformity(one) is None
    points = np.zeros((3, 2), np.float32)
    assert uniformity(points) == 0
    assert similarities(points, np.zeros(3, int), np.zeros(3, int)).within == 0


def test_the_file_imports_numpy_and_jaxtyping_alone():
    """A run that reckons its own calibration brings in no figures."""
    script = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        "print(*sorted({'jax', 'matplotlib', 'sklearn', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(measures.__file__))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == []
