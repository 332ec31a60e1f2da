"""What all pictures have in common: panels in a grid, a legend beneath them, bytes of a file."""

import io
import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxclr.report.colors import TEXT, look, style
from jaxclr.report.figures.words import all_fitted, fitted, width_of

WIDTH = 10.0
"""Of a whole picture, in inches: 1000 pixels on a page, whose letters then have their true size."""
DPI = 100
INCH = 72
"""Points."""
METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}

LONGEST = 280.0
"""Most points of a legend's label: two stand beside each other in a whole picture."""

Entry = tuple[str, Artist]
"""A line of a legend: what it says, and what it shows."""


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty picture with its title, whose parts make room for each other.

    Args:
        width: In inches.
        height: In inches.
        title: Cut in its middle where it is too long.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    # Bold letters are wider than those that are measured.
    figure.suptitle(fitted(title, width * INCH * 0.85, size=TEXT + 2))
    return figure


def panels(
    count: int, *, title: str, legend: Sequence[Entry] = (), columns: int = 3, height: float = 2.5
) -> tuple[Figure, list[Axes]]:
    """A picture of ``count`` panels, row by row, and a legend beneath all of them.

    Args:
        count: How many, at least 1.
        title: Of the whole.
        legend: Its entries.
        columns: Most panels beside each other.
        height: Of a row, in inches.

    Returns:
        The picture, and its panels.
    """
    rows, across = squared(count, columns)
    width = WIDTH if across > 1 else 0.7 * WIDTH
    lines = math.ceil(len(legend) / _abreast(legend, width)) if legend else 0
    figure = new_figure(width, rows * height + 0.4 + 0.23 * lines, title)
    axes = [figure.add_subplot(rows, across, place + 1) for place in range(count)]
    legend_below(figure, legend)
    return figure, axes


def squared(count: int, columns: int) -> tuple[int, int]:
    """Rows and columns for ``count`` panels, at most ``columns`` beside each other.

    Args:
        count: At least 1.
        columns: At least 2.
    """
    # Four stand better in a square than three and one.
    across = 2 if count == 4 else min(count, columns)
    return math.ceil(count / across), across


def legend_below(figure: Figure, legend: Sequence[Entry]) -> None:
    """Puts a legend under everything else, in as many columns as fit."""
    if not legend:
        return
    width = float(figure.get_figwidth())
    drawn = figure.legend(
        [artist for _, artist in legend],
        # A label that begins with an underscore would be left out.
        [str(place) for place in range(len(legend))],
        loc="outside lower center",
        ncols=_abreast(legend, width),
        handlelength=3,
    )
    for text, name in zip(drawn.get_texts(), _names(legend, width), strict=True):
        text.set_text(name)


def series_entries(names: Sequence[str]) -> list[Entry]:
    """Entries of several experiments, each by its own style; none of a single one."""
    if len(names) < 2:
        return []
    entries: list[Entry] = []
    for place, name in enumerate(names):
        color, marker = style(place)
        entries.append((name, Line2D([], [], color=color, marker=marker)))
    return entries


def written(figure: Figure, kind: Literal["png", "svg", "pdf"] = "png", *, dpi: int = DPI) -> bytes:
    """The bytes of a file of a picture, the same for the same picture.

    Args:
        figure: Of any function of this package.
        kind: Pixels for a page, or lines for a paper.
        dpi: Pixels to the inch; 200 for fine screens.
    """
    buffer = io.BytesIO()
    with look():
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=METADATA[kind])
    return buffer.getvalue()


def _names(legend: Sequence[Entry], width: float) -> list[str]:
    """The labels, which leave room for handle and margin in a picture so wide."""
    return all_fitted([name for name, _ in legend], min(width * INCH - 70, LONGEST))


def _abreast(legend: Sequence[Entry], width: float) -> int:
    """How many entries stand beside each other."""
    widest = max(map(width_of, _names(legend, width)))
    # The handle, and the room before and behind it, are about 55 points.
    return max(1, min(len(legend), int((width * INCH - 15) / (widest + 55))))
