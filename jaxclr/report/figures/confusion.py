"""Which classes are taken for which."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from jaxclr.measures import confusion
from jaxclr.report.colors import PALETTE, SHARES, SMALL, look
from jaxclr.report.figures.panels import INCH, WIDTH, new_figure, squared
from jaxclr.report.figures.pooled import pooled
from jaxclr.report.figures.words import all_fitted, fitted
from jaxclr.report.groups import Runs

FEW = 15
"""Most classes whose numbers fit into their cells."""
PAIRS = 12
"""How many of the most confused pairs are named where there are more."""
Counts = Int[np.ndarray, "k k"]


@look()
def matrices(runs: Runs) -> Figure | None:
    """The guesses of each true class, in % of its images; a panel for each experiment.

    With more than 15 classes the numbers are left out, and the twelve pairs with the most wrong
    guesses are named beside the matrix. The predictions of all runs are taken together.

    Args:
        runs: Of each experiment; those without predictions are left out.

    Returns:
        None where there are none at all.
    """
    counts: dict[str, Counts] = {}
    classes: Sequence[str] = ()
    for name, some in runs.items():
        kept = pooled(some)
        if kept is not None:
            classes = some[0].results["classes"]
            counts[name] = confusion(kept.label, kept.guess, len(classes))
    if not counts:
        return None
    return _small(counts, classes) if len(classes) <= FEW else _large(counts, classes)


def _small(counts: Mapping[str, Counts], classes: Sequence[str]) -> Figure:
    """Two matrices beside each other, a number in each cell."""
    down, across = squared(len(counts), 2)
    width = WIDTH if across == 2 else 0.65 * WIDTH
    side = max(2.6, 0.30 * len(classes) + 0.4)
    names = all_fitted(classes, 75.0, size=SMALL)
    figure = new_figure(width, down * (side + 1.7) + 0.5, "Confusion, % of each true class")
    for place, (name, found) in enumerate(counts.items()):
        panel = figure.add_subplot(down, across, place + 1)
        shares, _ = _matrix(panel, found, fitted(name, width / across * INCH - 60))
        ticks = np.arange(len(classes))
        panel.set_xticks(ticks, names, rotation="vertical")
        panel.set_yticks(ticks, names)
        for row, column in np.argwhere(found > 0):
            share = shares[row, column]
            panel.text(
                column, row, f"{share:.0f}", ha="center", va="center", size=SMALL - 0.5,
                color="white" if share > 60 else "black",
            )  # fmt: skip
    return figure


def _large(counts: Mapping[str, Counts], classes: Sequence[str]) -> Figure:
    """A matrix in each row, and beside it the pairs that are confused most."""
    figure = new_figure(WIDTH, 4.4 * len(counts) + 0.5, "Confusion, % of each true class")
    axes = figure.subplots(len(counts), 2, squeeze=False, width_ratios=[1, 0.7])
    names = all_fitted(classes, 95.0, size=SMALL)
    for (left, right), (name, found) in zip(axes, counts.items(), strict=True):
        _, image = _matrix(left, found, fitted(name, 0.5 * WIDTH * INCH - 80), gamma=0.4)
        figure.colorbar(image, ax=left, shrink=0.7, label="%")
        left.set(xlabel="guess, number of the class", ylabel="truth, number of the class")
        _pairs(right, found, names)
    return figure


def _matrix(
    panel: Axes, counts: Counts, title: str, *, gamma: float = 1.0
) -> tuple[Float[np.ndarray, "k k"], AxesImage]:
    """Draws the shares of each row, in %; a small ``gamma`` makes small ones darker."""
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = panel.imshow(shares, SHARES, norm=PowerNorm(gamma, vmin=0, vmax=100))
    panel.set(title=title, xlabel="guess", ylabel="truth")
    panel.grid(visible=False)
    return shares, image


def _pairs(panel: Axes, counts: Counts, name: Sequence[str]) -> None:
    """Bars of the pairs with the most wrong guesses; each class has a name."""
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(place), len(name)) for place in order]
    pairs = [(truth, guess) for truth, guess in pairs if wrong[truth, guess]]
    panel.set(title="taken for another most often", xlabel="images")
    panel.grid(visible=False, axis="y")
    names = [f"{name[truth]} \N{RIGHTWARDS ARROW} {name[guess]}" for truth, guess in pairs]
    images = [int(wrong[pair]) for pair in pairs]
    panel.barh(np.arange(len(pairs)), images, color=PALETTE[1])
    panel.set_yticks(np.arange(len(pairs)), names)
    panel.set_ylim(PAIRS - 0.5, -0.5)
    for row, (truth, guess) in enumerate(pairs):
        share = 100 * wrong[truth, guess] / counts[truth].sum()
        panel.annotate(
            f"{share:.0f} %", (images[row], row), (3, 0), textcoords="offset points", va="center",
            size=SMALL, color="dimgrey",
        )  # fmt: skip
    panel.margins(x=0.2)
