"""How accuracy and losses go with training."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxclr.metrics import GRADIENT
from jaxclr.report.colors import GREY, TEXT, look
from jaxclr.report.figures.panels import INCH, WIDTH, Entry, panels, series_entries
from jaxclr.report.figures.series import draw, of_percent, of_steps, over_steps
from jaxclr.report.figures.words import fitted
from jaxclr.report.groups import Runs

SOURCES = {"held_back_accuracy": "images held back", "source_accuracy": "labeled images"}
"""What tells of the sources, the better witness first."""


@look()
def accuracy(runs: Runs) -> Figure | None:
    """Accuracy on the target and on the sources over steps, a panel for each target.

    Lines are means over the seeds, bands their standard deviation. Of the sources, images held back
    are shown where every experiment has some, and labeled ones elsewhere.

    Args:
        runs: Of each experiment.

    Returns:
        None where no run was ever tested.
    """
    targets = dict.fromkeys(run.results["target"] for some in runs.values() for run in some)
    lines = [line for some in runs.values() for run in some for line in run.lines]
    if not any("accuracy" in line for line in lines):
        return None
    source = _source(runs)
    legend = [
        *series_entries(list(runs)),
        ("target", Line2D([], [], color=GREY, marker="o")),
        (
            f"sources, {SOURCES[source]}",
            Line2D([], [], color=GREY, linestyle="--", marker="o", markerfacecolor="white"),
        ),
    ]
    figure, axes = panels(len(targets), title="Accuracy during training", legend=legend)
    for panel, target in zip(axes, targets, strict=True):
        for place, some in enumerate(runs.values()):
            here = [run for run in some if run.results["target"] == target]
            for name in ("accuracy", source):
                found = over_steps(here, lambda line, name=name: line.get(name))
                if found is not None:
                    draw(panel, found, place, second=name == source)
        panel.set_title(_heading(f"target: {target}", len(targets)))
        panel.set_ylabel("accuracy, %")
        of_steps(panel)
        of_percent(panel)
    return figure


@look()
def losses(runs: Runs) -> Figure | None:
    """The loss and each of its terms, unweighted, over steps, a panel for each.

    Lines are means over all runs of an experiment, bands their standard deviation.

    Args:
        runs: Of each experiment.

    Returns:
        None where no run wrote down a loss.
    """
    names: dict[str, None] = {}
    for some in runs.values():
        for run in some:
            for line in run.lines:
                names.update(dict.fromkeys(_terms(line)))
    if not names:
        return None
    legend: list[Entry] = series_entries(list(runs))
    figure, axes = panels(len(names), title="Loss and its terms", legend=legend)
    for panel, name in zip(axes, names, strict=True):
        for place, some in enumerate(runs.values()):
            found = over_steps(some, lambda line, name=name: line.get(name))
            if found is not None:
                draw(panel, found, place)
        panel.set_title(_heading("loss" if name == "loss" else f"term: {name}", len(names)))
        panel.set_ylabel("weighted sum" if name == "loss" else "unweighted mean")
        of_steps(panel)
    return figure


def _terms(line: Mapping[str, Any]) -> list[str]:
    """The loss, and what it is made of."""
    if "loss" not in line:
        return []
    others = ("step", "loss", "pseudo_label_keep_rate", "pseudo_label_accuracy")
    terms = [name for name in line if name not in others and not name.endswith(GRADIENT)]
    return ["loss", *terms]


def _source(runs: Runs) -> str:
    """What tells of the sources in every experiment."""
    held_back, labeled = SOURCES
    every = all(
        any(line.get(held_back) is not None for run in some for line in run.lines)
        for some in runs.values()
    )
    return held_back if every else labeled


def _heading(text: str, count: int) -> str:
    return fitted(text, WIDTH * INCH / min(count, 3) - 45, size=TEXT)
