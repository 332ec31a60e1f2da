"""Whether networks are as often right as they are sure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from jaxclr.measures import (
    BINS,
    calibration_bins,
    expected_calibration_error,
    negative_log_likelihood,
)
from jaxclr.records import Predictions
from jaxclr.report.colors import GREY, PALETTE, look
from jaxclr.report.figures.panels import INCH, Entry, legend_below, new_figure, squared
from jaxclr.report.figures.pooled import pooled
from jaxclr.report.figures.words import fitted
from jaxclr.report.groups import Runs

SIDE, COLUMNS = 3.3, 3
"""Width of a panel in inches, and most of them beside each other."""
BLUE, ORANGE = PALETTE[0], PALETTE[1]
GAP = "////"


@look()
def diagrams(runs: Runs) -> Figure | None:
    """Accuracy by confidence in 15 bins, and how many images are in each; a panel an experiment.

    Bars that end on the dashed line are calibrated; below it, the network is surer than it should
    be. The predictions of all runs are taken together, also for the errors above each panel, which
    therefore differ from means over runs.

    Args:
        runs: Of each experiment; those without predictions are left out.

    Returns:
        None where there are none at all.

    References:
        Guo et al., `On Calibration of Modern Neural Networks
        <https://arxiv.org/abs/1706.04599>`_, 2017, figure 1.
    """
    found = {name: kept for name, some in runs.items() if (kept := pooled(some)) is not None}
    if not found:
        return None
    down, across = squared(len(found), COLUMNS)
    figure = new_figure(max(across * SIDE, 5.0), down * 4.1 + 0.8, "Reliability of confidences")
    grid = figure.add_gridspec(2 * down, across, height_ratios=[3, 1] * down)
    for place, (name, kept) in enumerate(found.items()):
        row, column = 2 * (place // across), place % across
        upper = figure.add_subplot(grid[row, column])
        lower = figure.add_subplot(grid[row + 1, column], sharex=upper)
        _draw(upper, lower, name, kept)
    legend_below(figure, _entries())
    return figure


def _entries() -> list[Entry]:
    return [
        ("accuracy", Patch(facecolor=BLUE, edgecolor="white")),
        ("from accuracy to mean confidence", Patch(facecolor="none", edgecolor=ORANGE, hatch=GAP)),
        ("as often right as sure", Line2D([], [], color="black", linestyle="--")),
    ]


def _draw(upper: Axes, lower: Axes, name: str, kept: Predictions) -> None:
    bins = calibration_bins(kept.confidence, kept.guess == kept.label)
    error, cost = expected_calibration_error(bins), negative_log_likelihood(kept.truth)
    name = fitted(name, SIDE * INCH - 50)
    upper.set_title(f"{name}\nECE {error:.1f} %, NLL {cost:.2f} nats")
    width = 100 / BINS
    left, right, sure = width * np.arange(BINS), 100 * bins.accuracy, 100 * bins.confidence
    upper.bar(left, right, width, align="edge", color=BLUE, edgecolor="white")
    upper.bar(
        left, sure - right, width, right, align="edge", facecolor="none", edgecolor=ORANGE,
        hatch=GAP,
    )  # fmt: skip
    upper.plot([0, 100], [0, 100], "--", color="black", linewidth=1)
    upper.set(xlim=(0, 100), ylim=(0, 103), ylabel="accuracy, %")
    upper.tick_params(labelbottom=False)
    total = int(bins.images.sum())
    lower.bar(
        left, 100 * bins.images / max(total, 1), width, align="edge", color=GREY, edgecolor="white"
    )
    lower.set(xlabel="confidence, %", ylabel=f"% of {total:,}")
