"""Pictures of what was kept of a run's last state."""

import math

import numpy as np
import pytest
from imaginary import record
from sklearn.metrics import confusion_matrix

from jaxclr.measures import similarities, uniformity
from jaxclr.records import Predictions
from jaxclr.report.figures import confusion, geometry, mistakes, reliability


def two_runs():
    return [record(target=target) for target in ("print", "scan")]


def together(runs, name):
    return np.concatenate([getattr(run.predictions, name) for run in runs])


def test_cells_hold_the_shares_of_each_true_class_over_all_runs():
    runs = two_runs()
    (axes,) = confusion.matrices({"fixclr": runs}).axes
    label, guess = together(runs, "label"), together(runs, "guess")
    expected = 100 * confusion_matrix(label, guess, normalize="true")
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
    for text in axes.texts:
        column, row = map(int, text.get_position())
        assert text.get_text() == f"{expected[row, column]:.0f}"
    assert len(axes.texts) == (expected > 0).sum()


def test_of_many_classes_the_pairs_with_most_wrong_guesses_are_named():
    """Three of class 1 are taken for 2, two of 4 for 0; who is right is in no pair."""
    label = np.array([1, 1, 1, 1, 4, 4, 0, 0, 0, 0, 0])
    guess = np.array([2, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0])
    sure = np.full(11, 0.5, np.float32)
    classes = tuple(f"c{i}" for i in range(20))
    run = record(classes=classes)._replace(
        predictions=Predictions(("x",) * 11, label, guess, sure, sure)
    )
    axes = confusion.matrices({"fixclr": [run]}).axes[1]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["c1 → c2", "c4 → c0"]
    assert [bar.get_width() for bar in axes.patches] == [3, 2]
    assert [text.get_text() for text in axes.texts] == ["75 %", "100 %"]
    perfect = run.predictions._replace(guess=label)
    assert not confusion.matrices({"a": [run._replace(predictions=perfect)]}).axes[1].patches


def test_bars_are_the_accuracy_and_the_share_of_each_tenth_and_a_half_of_confidence():
    """By a loop over the images of both runs; the errors above them by their formulas."""
    runs = two_runs()
    sure = together(runs, "confidence").astype(float)
    right = together(runs, "label") == together(runs, "guess")
    upper, lower = reliability.diagrams({"fixclr": runs}).axes
    error = 0.0
    for i in range(15):
        inside = [k for k in range(len(sure)) if i / 15 < sure[k] <= (i + 1) / 15]
        accuracy = np.mean(right[inside]) if inside else 0.0
        gap = abs(accuracy - np.mean(sure[inside])) if inside else 0.0
        error += len(inside) / len(sure) * gap
        assert upper.patches[i].get_height() == pytest.approx(100 * accuracy)
        assert abs(upper.patches[15 + i].get_height()) == pytest.approx(100 * gap)
        assert lower.patches[i].get_height() == pytest.approx(100 * len(inside) / len(sure))
    cost = -np.mean([math.log(p) for p in together(runs, "truth")])
    assert upper.get_title() == f"fixclr\nECE {100 * error:.1f} %, NLL {cost:.2f} nats"
    assert lower.get_ylabel() == "% of 400"


def test_dots_are_the_runs_measures_and_the_large_one_is_their_mean():
    runs = two_runs()
    axes = geometry.measures({"erm": [record("erm")], "fixclr": runs}).axes
    expected = {
        "same class,\nother domain": [
            similarities(run.features.features, run.features.label, run.features.domain).across
            for run in runs
        ],
        "uniformity\n(less: more even)": [uniformity(run.features.features) for run in runs],
        "domain read off\nfeatures": [run.results["domain_probe_accuracy"] for run in runs],
    }
    for panel in axes:
        # A rule, dots and their mean of each of the two; of the probe, chance among four domains.
        lines = panel.get_lines()
        if panel.get_title() in expected:
            values = expected[panel.get_title()]
            np.testing.assert_allclose(lines[4].get_xdata(), values)
            np.testing.assert_allclose(lines[5].get_xdata(), [np.mean(values)])
    np.testing.assert_allclose(axes[-1].get_lines()[-1].get_xdata(), [25, 25])


def test_mistakes_are_shown_in_their_order_with_what_was_said_and_what_is_true():
    run = record(mistakes=8)
    found, axes = run.mistakes, mistakes.grid(run).axes
    assert len(axes) == 8
    for i, panel in enumerate(axes):
        np.testing.assert_array_equal(panel.images[0].get_array(), found.images[i])
        said, true = (run.results["classes"][which[i]] for which in (found.guess, found.label))
        sure = f"{100 * found.confidence[i]:.0f} % sure"
        assert panel.get_title() == f"guess: {said}\ntruth: {true}\n{sure}"
        assert panel.get_xlabel().endswith(found.path[i][-8:])


def test_a_run_without_mistakes_has_no_picture_of_any():
    assert mistakes.grid(record(mistakes=0)) is None
