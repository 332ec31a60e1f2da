"""Values over the steps of several runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from jaxclr.records import Record
from jaxclr.report.colors import style

POINTS = 100
"""Most points of a curve."""
MARKS = 8
"""About how many of them carry a marker."""

Read = Callable[[Mapping[str, Any]], float | None]
"""From a line of ``metrics.jsonl`` to a value; None where it has none."""


class Series(NamedTuple):
    """A curve: the mean over runs, and how far they lie apart."""

    step: Float[np.ndarray, " t"]
    mean: Float[np.ndarray, " t"]
    std: Float[np.ndarray, " t"]
    """Over the runs, the population's; 0 of a single one."""


def over_steps(runs: Sequence[Record], read: Read) -> Series | None:
    """The mean over runs, at each step that any of them tells of.

    Where there are more than 100 steps, as many neighbours are averaged as make it 100.

    Args:
        runs: Of one experiment.
        read: What is read off a line; where it is None, the run counts nowhere.

    Returns:
        None where no line has a value.
    """
    found = [
        {line["step"]: float(value) for line in run.lines if (value := read(line)) is not None}
        for run in runs
    ]
    steps = sorted(set().union(*found))
    if not steps:
        return None
    table = np.array([[of_run.get(step, np.nan) for step in steps] for of_run in found])
    count = min(POINTS, len(steps))
    parts = np.array_split(np.arange(len(steps)), count)
    runs_by_part = [_means(table[:, part]) for part in parts]
    return Series(
        step=np.array([np.mean(np.array(steps)[part]) for part in parts]),
        mean=np.array([values.mean() for values in runs_by_part]),
        std=np.array([values.std() for values in runs_by_part]),
    )


def draw(axes: Axes, series: Series, place: int, *, second: bool = False) -> None:
    """Draws a curve, and a band one standard deviation to either side.

    Args:
        axes: Where.
        series: The curve.
        place: Of the experiment among all, which gives it color and marker.
        second: Whether it is the experiment's second curve: dashed, hollow and without a band.
    """
    how, every = style(place), max(1, len(series.step) // MARKS)
    axes.plot(
        series.step, series.mean, "--" if second else "-", color=how.color, marker=how.marker,
        # Each experiment's markers elsewhere, so that curves on top of each other are seen.
        markevery=(place * every // 3 % every, every), mfc="white" if second else how.color,
    )  # fmt: skip
    if series.std.any() and not second:
        low, high = series.mean - series.std, series.mean + series.std
        axes.fill_between(series.step, low, high, color=how.color, alpha=0.15, linewidth=0)


def of_steps(axes: Axes) -> None:
    """Says that it goes by steps, which are whole, to the right."""
    axes.set_xlabel("step")
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)


def of_percent(axes: Axes) -> None:
    """Lets the values fill the panel, without a tick below 0 or above 100."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.06 * high), min(high, 100 + 0.06 * (100 - low)))


def _means(table: Float[np.ndarray, "r s"]) -> Float[np.ndarray, " q"]:
    """The mean of each run that has a value."""
    return np.array([np.nanmean(row) for row in table if not np.isnan(row).all()])
