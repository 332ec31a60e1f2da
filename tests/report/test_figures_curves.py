"""What the curves show is what the runs wrote down."""

import numpy as np
import pytest
from imaginary import record

from jaxclr.report.colors import style
from jaxclr.report.figures import curves, pseudo_labels
from jaxclr.report.figures.pseudo_labels_by_class import by_class
from jaxclr.report.figures.series import over_steps

SEEDS = (1, 2, 3)


def runs(**more):
    return {
        name: [record(name, on, seed, **more) for on in ("print", "scan") for seed in SEEDS]
        for name in ("fixmatch", "fixclr")
    }


def told(some, read, step):
    """What the runs say of a step."""
    values = [read(line) for run in some for line in run.lines if line["step"] == step]
    return [value for value in values if value is not None]


def panel(figure, title):
    (found,) = [axes for axes in figure.axes if axes.get_title() == title]
    return found


def points(line):
    return {int(step): value for step, value in zip(*line.get_data(), strict=True)}


def test_a_curve_is_the_mean_and_deviation_of_the_runs_that_tell_of_a_step():
    some = runs()["fixclr"]
    del some[0].lines[3:]

    def read(line):
        return line.get("accuracy")

    found = over_steps(some, read)
    assert len(found.step) == 6
    for step, mean, std in zip(*found, strict=True):
        values = told(some, read, step)
        assert (mean, std) == pytest.approx((np.mean(values), np.std(values)))
    assert over_steps(some, lambda line: line.get("unheard of")) is None


def test_of_many_steps_neighbours_are_averaged_and_the_mean_over_all_stays():
    (run,) = [record()._replace(lines=[{"step": i, "x": i % 7} for i in range(1000)])]
    found = over_steps([run], lambda line: line["x"])
    assert len(found.step) == 100
    assert found.mean.mean() == pytest.approx(np.mean(np.arange(1000) % 7))
    assert found.mean[0] == pytest.approx(np.mean([i % 7 for i in range(10)]))


def test_accuracy_is_drawn_solid_for_the_target_and_dashed_for_the_sources():
    """In each target's panel, of the runs on that target, by each experiment's style."""
    every = runs()
    figure = curves.accuracy(every)
    for target in ("print", "scan"):
        lines = panel(figure, f"target: {target}").get_lines()
        assert [line.get_linestyle() for line in lines] == ["-", "--", "-", "--"]
        for place, some in enumerate(every.values()):
            here = [run for run in some if run.results["target"] == target]
            for line, name in zip(
                lines[2 * place :], ("accuracy", "source_accuracy"), strict=False
            ):
                assert line.get_color() == style(place).color
                for step, value in points(line).items():
                    values = told(here, lambda of, name=name: of.get(name), step)
                    assert value == pytest.approx(np.mean(values))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_there_is_no_half_step_however_few_there_are(steps):
    run = record(tests=steps)
    lines = [{**line, "step": -(-line["step"] // 100)} for line in run.lines]
    short = {"fixclr": [run._replace(lines=lines)]}
    drawings = (curves.accuracy, curves.losses, pseudo_labels.overall, by_class)
    for figure in (draw(short) for draw in drawings):
        figure.draw_without_rendering()
        panels = [axes for axes in figure.axes if axes.get_xlabel() == "step"]
        for ticks in (axes.get_xticks() for axes in panels):
            np.testing.assert_array_equal(ticks, np.round(ticks))
        assert panels


def test_images_held_back_tell_of_the_sources_where_all_experiments_have_some():
    every = runs()
    for some in every.values():
        for run in some:
            for line in run.lines:
                if "accuracy" in line:
                    line["held_back_accuracy"] = 12.5
    dashed = curves.accuracy(every).axes[0].get_lines()[1]
    assert set(points(dashed).values()) == {12.5}
    del every["fixclr"][0].lines[:], every["fixclr"][1:]
    assert set(points(curves.accuracy(every).axes[0].get_lines()[1]).values()) != {12.5}


def test_every_term_has_a_panel_and_norms_of_gradients_have_none():
    figure = curves.losses(runs())
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["loss", *(f"term: {of}" for of in ("supervised", "consistency", "repulsion"))]
    first = panel(figure, "term: repulsion").get_lines()[0]
    for step, value in points(first).items():
        values = told(runs()["fixmatch"], lambda line: line.get("repulsion"), step)
        assert value == pytest.approx(np.mean(values))


def test_keep_rate_and_accuracy_are_those_of_all_runs_and_of_the_runs_that_have_the_domain():
    every = runs()
    figure = pseudo_labels.overall(every)
    for title, name in (("keep rate", "keep_rate"), ("accuracy", "accuracy")):
        for line, some in zip(panel(figure, title).get_lines(), every.values(), strict=True):
            for step, value in points(line).items():
                values = told(some, lambda of, name=name: of.get(f"pseudo_label_{name}"), step)
                assert value == pytest.approx(np.mean(values))
    line = panel(pseudo_labels.by_domain(every), "print: accuracy").get_lines()[0]
    for step, value in points(line).items():
        values = told(
            every["fixmatch"],
            lambda of: of.get("pseudo_label_accuracy_by_domain", {}).get("print"),
            step,
        )
        assert len(values) == len(SEEDS)
        assert value == pytest.approx(np.mean(values))


def mesh(axes):
    """The colors' values, NaN where nothing is known."""
    return np.ma.filled(axes.collections[0].get_array().astype(float), np.nan)


def test_colors_of_classes_are_the_means_of_the_runs_and_grey_is_where_there_are_none():
    every = runs(tests=2)
    found = mesh(panel(by_class(every), "fixclr: accuracy"))
    assert np.isnan(found[0]).all()
    for row, name in enumerate("0123456789"):
        for column, step in enumerate((100, 200)):
            values = told(
                every["fixclr"],
                lambda of, name=name: of.get("pseudo_label_accuracy_by_class", {}).get(name),
                step,
            )
            assert bool(values) == (row > 0)
            assert not values or found[row, column] == pytest.approx(np.mean(values))


def test_of_many_classes_those_with_the_fewest_trusted_and_right_guesses_are_shown():
    """And beneath them the quartiles of all, the first class aside, of which nothing is known."""
    classes = tuple(f"c{i}" for i in range(40))
    run = record(classes=classes, tests=1)
    line = run.lines[-1]
    keep, right = (line[f"pseudo_label_{of}_by_class"] for of in ("keep_rate", "accuracy"))
    share = {name: keep[name] * (right[name] or 0) for name in classes}
    hardest = sorted(classes, key=lambda name: share[name])[:12]
    figure = by_class({"fixclr": [run]})
    left = figure.axes[0]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == [*hardest, "upper quarter", "middle", "lower quarter"]
    known = sorted(keep.values())
    np.testing.assert_allclose(mesh(left)[:12, 0], [keep[name] for name in hardest])
    np.testing.assert_allclose(mesh(left)[12:, 0], np.quantile(known, [0.75, 0.5, 0.25]))
