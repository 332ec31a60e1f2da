"""Predictions on a terminal: those of the first images, and how often each class was told."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jaxclr.pipeline.files import printable
from jaxclr.predict.rows import Rows, ranked

WIDTH = 100
SHOWN, SUMMARISED = 40, 20
"""Images and classes that are shown."""
OTHERS, LEAST = 2, 0.0005
"""How many less likely classes are shown, and the probability from which on they are."""


class Screen:
    """Shows what was said of images, when all of it was said.

    Args:
        classes: Their names.
        top: How many of them are shown of an image.
        table: Whether single images are shown, or only the summary.
    """

    def __init__(self, classes: Sequence[str], top: int, *, table: bool):
        self._classes, self._top = classes, top
        self._shown: list[tuple[str, list[tuple[str, float]]]] = []
        self._room = SHOWN if table else 0
        self._counts, self._sums = np.zeros(len(classes), int), np.zeros(len(classes))

    def write(self, rows: Rows) -> None:
        """Takes a batch."""
        found = ranked(rows.probabilities, self._top)
        first, share = found.classes[:, 0], found.probabilities[:, 0]
        self._counts += np.bincount(first, minlength=len(self._classes))
        self._sums += np.bincount(first, share, len(self._classes))
        for i, path in enumerate(rows.path[: self._room]):
            pairs = zip(found.classes[i].tolist(), found.probabilities[i].tolist(), strict=True)
            self._shown.append((path, [(self._classes[int(c)], p) for c, p in pairs]))
        self._room -= min(self._room, len(rows.path))

    def show(self, console: Console | None = None) -> None:
        """Prints all."""
        console = console or Console(highlight=False)
        width, total = min(console.width, WIDTH), int(self._counts.sum())
        if self._shown:
            console.print(self._first(), width=width)
            if (more := total - len(self._shown)) > 0:
                console.print(f"and {more:,} more, which --output predictions.csv would hold")
            console.print()
        if total > 1:
            console.print(self._summary(total), width=width)

    def _first(self) -> Table:
        table = _table("image", "class", "%")
        if min(self._top, len(self._classes)) > 1:
            table.add_column("or", overflow="fold")
        for path, ((first, share), *rest) in self._shown:
            others = ", ".join(f"{name} {100 * p:.1f}" for name, p in rest[:OTHERS] if p >= LEAST)
            cells = (path, first, f"{100 * share:.1f}", others)
            table.add_row(*(Text(printable(cell)) for cell in cells[: len(table.columns)]))
        return table

    def _summary(self, total: int) -> Table:
        table = _table("class", "images", "of all, %", "mean probability, %")
        order = np.argsort(-self._counts, kind="stable")
        for c in (c for c in order[:SUMMARISED] if self._counts[c]):
            count = int(self._counts[c])
            figures = (100 * count / total, 100 * self._sums[c] / count)
            cells = (printable(self._classes[int(c)]), f"{count:,}", *(f"{x:.1f}" for x in figures))
            table.add_row(*map(Text, cells))
        if (left := int(self._counts[order[SUMMARISED:]].sum())) > 0:
            table.add_row("others", f"{left:,}", f"{100 * left / total:.1f}", "")
        return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="left" if column == "class" else "right", no_wrap=True)
    return table
