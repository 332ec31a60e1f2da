"""How many pseudo-labels are trusted, and how many of those are right, with training."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxclr.records import Record
from jaxclr.report.colors import look
from jaxclr.report.figures.panels import panels, series_entries
from jaxclr.report.figures.series import Series, draw, of_percent, of_steps, over_steps
from jaxclr.report.figures.words import fitted
from jaxclr.report.groups import Runs

KEEP, RIGHT = "pseudo_label_keep_rate", "pseudo_label_accuracy"
TITLES = {KEEP: "keep rate", RIGHT: "accuracy"}
UNITS = {KEEP: "% of all guesses", RIGHT: "% of kept guesses"}

Curves = Mapping[str, Sequence[Series | None]]
"""Of keep rate and of accuracy, the curve of each experiment."""


@look()
def overall(runs: Runs) -> Figure | None:
    """Keep rate and accuracy of the pseudo-labels over steps, experiments beside each other.

    Lines are means over all runs of an experiment, bands their standard deviation.

    Args:
        runs: Of each experiment.

    Returns:
        None where no run makes pseudo-labels.

    References:
        Figure 2 of Son, Rezaei, Liu, `FixCLR <https://arxiv.org/abs/2506.20841>`_, 2025.
    """
    curves = {
        measure: [over_steps(some, lambda line, m=measure: line.get(m)) for some in runs.values()]
        for measure in TITLES
    }
    if not any(series for found in curves.values() for series in found):
        return None
    legend = series_entries(list(runs))
    figure, axes = panels(2, title="Pseudo-labels during training", legend=legend, height=3.2)
    _draw_pair(axes, curves, "")
    return figure


@look()
def by_domain(runs: Runs) -> Figure | None:
    """The same of each source domain's images, a row for each, from test to test.

    Args:
        runs: Of each experiment.

    Returns:
        None where no run tells of domains.
    """
    domains = parts(runs, "domain")
    if not domains:
        return None
    figure, axes = panels(
        2 * len(domains), columns=2, height=2.3, title="Pseudo-labels of each source domain",
        legend=series_entries(list(runs)),
    )  # fmt: skip
    for row, domain in enumerate(domains):
        curves = {m: [_of_domain(some, m, domain) for some in runs.values()] for m in TITLES}
        _draw_pair(axes[2 * row : 2 * row + 2], curves, f"{domain}: ")
    return figure


def parts(runs: Runs, kind: str) -> list[str]:
    """The names of all domains, or of all classes, whose guesses some line tells of.

    Args:
        runs: Of each experiment.
        kind: ``domain`` or ``class``.
    """
    found: dict[str, None] = {}
    for some in runs.values():
        for run in some:
            for line in run.lines:
                found.update(dict.fromkeys(line.get(f"{KEEP}_by_{kind}", {})))
    return list(found)


def _of_domain(runs: Sequence[Record], measure: str, domain: str) -> Series | None:
    return over_steps(runs, lambda line: line.get(f"{measure}_by_domain", {}).get(domain))


def _draw_pair(axes: Sequence[Axes], curves: Curves, of: str) -> None:
    """Keep rate on the left, accuracy on the right."""
    for panel, measure in zip(axes, TITLES, strict=True):
        for place, series in enumerate(curves[measure]):
            if series is not None:
                draw(panel, series, place)
        panel.set_title(fitted(f"{of}{TITLES[measure]}", 300.0))
        panel.set_ylabel(UNITS[measure])
        of_steps(panel)
        of_percent(panel)
