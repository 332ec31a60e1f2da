"""Which classes get trusted and right pseudo-labels, with training."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from jaxclr.records import Record
from jaxclr.report.colors import PALE, SMALL, look
from jaxclr.report.figures.panels import WIDTH, new_figure
from jaxclr.report.figures.pseudo_labels import KEEP, RIGHT, TITLES, UNITS, parts
from jaxclr.report.figures.series import of_steps
from jaxclr.report.figures.words import all_fitted, fitted
from jaxclr.report.groups import Runs

FEW, WORST = 15, 12
"""Most classes that all get a row of their own, and how many do where there are more."""
QUARTERS = {"upper quarter": 75, "middle": 50, "lower quarter": 25}
"""Percentiles over all classes, against which the shown ones can be held."""
ROW = 0.21
"""Height of a class, in inches."""

Table = Float[np.ndarray, "_ _"]
Tables = Mapping[str, Table]
"""Of keep rate and of accuracy, a row for each class and a column for each test; NaN for none."""


@look()
def by_class(runs: Runs) -> Figure | None:
    """Keep rate and accuracy of each true class's pseudo-labels, as colors: steps to the right.

    Of more than 15 classes, the 12 are shown that have at the end, averaged over experiments, the
    smallest share of images with a guess both trusted and right; beneath them stand the quartiles
    of all classes. Means over all runs of an experiment. Grey is where nothing was averaged: no
    image was seen, or no guess trusted.

    Args:
        runs: Of each experiment; those that tell nothing of classes are left out.

    Returns:
        None where no run tells of classes.
    """
    classes = parts(runs, "class")
    told = {name: some for name, some in runs.items() if parts({name: some}, "class")}
    if not told:
        return None
    steps = {name: _steps(some) for name, some in told.items()}
    tables = {name: _tables(some, classes, steps[name]) for name, some in told.items()}
    names, title = all_fitted(classes, 110.0, size=SMALL), "Pseudo-labels of each class"
    if len(classes) > FEW:
        worst = _worst(list(tables.values()))
        names = [*(names[of] for of in worst), *QUARTERS]
        title = f"Pseudo-labels of the {WORST} hardest of {len(classes)} classes"
        tables = {name: _cut(found, worst) for name, found in tables.items()}
    return _drawn(tables, steps, names, title)


def _steps(runs: Sequence[Record]) -> list[int]:
    lines = (line for run in runs for line in run.lines)
    return sorted({line["step"] for line in lines if f"{KEEP}_by_class" in line})


def _tables(runs: Sequence[Record], classes: Sequence[str], steps: Sequence[int]) -> Tables:
    """The means over runs."""
    return {measure: _table(runs, f"{measure}_by_class", classes, steps) for measure in TITLES}


def _table(
    runs: Sequence[Record], name: str, classes: Sequence[str], steps: Sequence[int]
) -> Float[np.ndarray, "k t"]:
    total, count = np.zeros((2, len(classes), len(steps)))
    for run in runs:
        for line in run.lines:
            values = line.get(name)
            if values is None:
                continue
            column = steps.index(line["step"])
            found = np.array([values.get(of) for of in classes], np.float64)
            total[:, column] += np.nan_to_num(found)
            count[:, column] += ~np.isnan(found)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _worst(tables: Sequence[Tables]) -> list[int]:
    """The classes with the fewest trusted and right guesses at the end, the worst first."""
    shares = [found[KEEP][:, -1] * np.nan_to_num(found[RIGHT][:, -1]) for found in tables]
    # A class that was never seen at the end is not known to be hard.
    mean = np.mean([np.where(np.isnan(share), np.inf, share) for share in shares], axis=0)
    return np.argsort(mean, kind="stable")[:WORST].tolist()


def _cut(tables: Tables, rows: Sequence[int]) -> Tables:
    """Those rows, and the quartiles of all."""
    return {
        measure: np.concatenate([table[rows], _percentiles(table)])
        for measure, table in tables.items()
    }


def _percentiles(table: Float[np.ndarray, "k t"]) -> Float[np.ndarray, "q t"]:
    found = np.full((len(QUARTERS), table.shape[1]), np.nan)
    for column, values in enumerate(table.T):
        known = values[~np.isnan(values)]
        if len(known):
            found[:, column] = np.percentile(known, list(QUARTERS.values()))
    return found


def _drawn(
    tables: Mapping[str, Tables], steps: Mapping[str, Sequence[int]], names: Sequence[str],
    title: str,
) -> Figure:  # fmt: skip
    """A row of panels for each experiment, and the colors' meaning beneath each column."""
    high = ROW * len(names) + 0.75
    figure = new_figure(WIDTH, len(tables) * high + 1.0, title)
    # What the colors mean has a row of its own.
    grid = figure.add_gridspec(len(tables) + 1, 2, height_ratios=[high] * len(tables) + [0.12])
    axes = np.array([[figure.add_subplot(grid[r, c]) for c in (0, 1)] for r in range(len(tables))])
    for column, measure in enumerate(TITLES):
        scale = _scale([found[measure] for found in tables.values()])
        for panel, (name, found) in zip(axes[:, column], tables.items(), strict=True):
            ends = np.array([min(0, steps[name][0] - 1), *steps[name]])
            panel.pcolormesh(ends, np.arange(len(names) + 1), found[measure], norm=scale)
            panel.set_facecolor(PALE)
            of_steps(panel)
            panel.grid(visible=False)
            panel.set_title(fitted(f"{name}: {TITLES[measure]}", 270.0))
        figure.colorbar(
            axes[-1, column].collections[0], cax=figure.add_subplot(grid[-1, column]),
            orientation="horizontal", label=f"{UNITS[measure]} (grey: nothing to tell)",
        )  # fmt: skip
    for left, right in axes:
        left.set_yticks(np.arange(len(names)) + 0.5, names)
        right.set_yticks([])
        left.invert_yaxis()
        right.invert_yaxis()
    return figure


def _scale(tables: Sequence[Table]) -> Normalize:
    """From the least to the greatest value of all experiments."""
    values = np.concatenate([table[~np.isnan(table)] for table in tables])
    if not len(values):
        return Normalize(0, 100)
    low, high = np.floor(values.min()), np.ceil(values.max())
    return Normalize(low, high if high > low else low + 1)
