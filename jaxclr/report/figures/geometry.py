"""How features lie: alike within classes, across domains, or spread over the sphere."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxclr.records import Record
from jaxclr.report.colors import PALE, SMALL, look, style
from jaxclr.report.figures.panels import WIDTH, new_figure
from jaxclr.report.figures.words import all_fitted
from jaxclr.report.groups import Runs
from jaxclr.report.measured import measured

KINDS = {
    "cosine_within": ("same class,\nsame domain", "mean cosine"),
    "cosine_across": ("same class,\nother domain", "mean cosine"),
    "cosine_between": ("other class,\nany domain", "mean cosine"),
    "uniformity": ("uniformity\n(less: more even)", "log potential, nats"),
    "domain_probe_accuracy": ("domain read off\nfeatures", "accuracy, %"),
}
"""Of each measure, by its name in the results, the title and the unit."""
COSINES = 3
"""How many of them, the first ones, are on one scale."""

Values = Mapping[str, Sequence[float]]
"""Of each measure, what the runs of an experiment have; it may be nothing."""


@look()
def measures(runs: Runs) -> Figure | None:
    """Similarity of features, their uniformity, and how well they betray the domain.

    A row for each experiment, a panel for each measure: small marks are runs, large ones their
    mean, and the dotted line is what guessing the domain at random would reach. Features are those
    of the sample of all domains, the target among them.

    Args:
        runs: Of each experiment.

    Returns:
        None where no run has kept features or told of the probe.

    References:
        For uniformity, Wang and Isola, `Understanding Contrastive Representation Learning
        <https://arxiv.org/abs/2005.10242>`_, 2020. The choice of the others is ours.
    """
    found = {name: _values(some) for name, some in runs.items()}
    if not any(values for of_kind in found.values() for values in of_kind.values()):
        return None
    figure = new_figure(WIDTH, 0.34 * len(found) + 1.8, "Geometry of the features")
    axes = figure.subplots(1, len(KINDS), sharey=True)
    for place, (panel, kind) in enumerate(zip(axes, KINDS, strict=True)):
        if 0 < place < COSINES:
            panel.sharex(axes[0])
        _draw(panel, kind, [of_kind[kind] for of_kind in found.values()])
    chances = {len(run.results.get("domains", ())) for some in runs.values() for run in some}
    if len(chances) == 1 and (domains := chances.pop()) and axes[-1].lines:
        axes[-1].axvline(100 / domains, linestyle=":", color="black")
    names = all_fitted(list(found), 140.0, size=SMALL)
    axes[0].set_yticks(np.arange(len(names)), names)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def _values(runs: Sequence[Record]) -> Values:
    results = [measured(run) for run in runs]
    return {
        kind: [value for of_run in results if (value := of_run.get(kind)) is not None]
        for kind in KINDS
    }


def _draw(panel: Axes, kind: str, values: Sequence[Sequence[float]]) -> None:
    title, unit = KINDS[kind]
    panel.set(title=title, xlabel=unit)
    panel.locator_params(axis="x", nbins=2)
    panel.tick_params(axis="y", left=False)
    panel.margins(x=0.15)
    panel.grid(visible=False, axis="y")
    for row, some in enumerate(values):
        color, marker = style(row)
        panel.axhline(row, color=PALE, linewidth=0.6, zorder=0)
        if some:
            panel.plot(some, [row] * len(some), marker, color=color, ms=4, alpha=0.5, mew=0)
            panel.plot(np.mean(some), row, marker, color=color, ms=9, mec="white")
