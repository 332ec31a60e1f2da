"""What a network was surest of, and wrong."""

import math

from matplotlib.figure import Figure

from jaxclr.records import Record
from jaxclr.report.colors import GREY, SMALL, look
from jaxclr.report.figures.panels import INCH, WIDTH, new_figure
from jaxclr.report.figures.words import all_fitted, fitted

ACROSS = 6
"""Pictures beside each other."""
CELL = WIDTH / ACROSS
TINY = 7.0
"""Size of the letters of a file's name."""


@look()
def grid(record: Record, name: str | None = None) -> Figure | None:
    """Pictures of the surest mistakes on the target, with guess, confidence, truth and file.

    Args:
        record: One run.
        name: What its experiment is called; none: as it calls itself.

    Returns:
        None where it kept none, or made none.
    """
    found, classes = record.mistakes, record.results["classes"]
    if found is None or not len(found.images):
        return None
    count = len(found.images)
    across = min(count, ACROSS)
    down = math.ceil(count / across)
    called = record.results["experiment"] if name is None else name
    title = f"Surest mistakes of {called} on {record.results['target']}"
    figure = new_figure(max(across * CELL, 5.0), down * (CELL + 0.65) + 0.5, title)
    room = CELL * INCH - 8
    names = all_fitted(classes, room - 36, size=SMALL)
    for place in range(count):
        panel = figure.add_subplot(down, across, place + 1)
        panel.imshow(found.images[place])
        panel.set(xticks=[], yticks=[])
        panel.grid(visible=False)
        panel.spines[:].set(visible=True, color=GREY)
        guess, truth = names[found.guess[place]], names[found.label[place]]
        sure = f"{100 * found.confidence[place]:.0f} % sure"
        panel.set_title(f"guess: {guess}\ntruth: {truth}\n{sure}", size=SMALL)
        panel.set_xlabel(fitted(found.path[place], room, size=TINY), size=TINY, color="dimgrey")
    return figure
