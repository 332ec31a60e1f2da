"""Printed digits as polygons, and polygons as pixels, by the same arithmetic on every machine.

FreeType's hinting and anti-aliasing change between its versions, so glyphs are taken from the
font file as curves, in font units, and filled here. Only operations that IEEE 754 rounds
correctly are used, one element at a time: no transcendental function, no sum of fractions whose
order a machine may choose.
"""

import functools
import logging
import pathlib

import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont
from jaxtyping import Float

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique"),
    *("DejaVuSansMono-BoldOblique", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    *("DejaVuSerif-BoldItalic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
    *("STIXGeneralBolIta", "cmr10", "cmb10", "cmss10", "cmtt10"),
)
"""The fonts that matplotlib ships and that have digits; stems of its ``.ttf`` files."""

CURVE_STEPS = 6
"""Straight pieces per curve; their error is below a hundredth of a pixel at 32 pixels."""


class Edges(BasePen):
    """Draws a glyph into directed straight edges, in font units, y upwards.

    Attributes:
        edges: ``((x0, y0), (x1, y1))`` in drawing order; every contour is closed.
    """

    def __init__(self, glyphs):
        super().__init__(glyphs)
        self.edges = []
        self.start = self.place = (0.0, 0.0)

    def _moveTo(self, pt):
        self.start = self.place = pt

    def _lineTo(self, pt):
        self.edges.append((self.place, pt))
        self.place = pt

    def _qCurveToOne(self, pt1, pt2):
        (x0, y0), (x1, y1), (x2, y2) = self.place, pt1, pt2
        for step in range(1, CURVE_STEPS + 1):
            t = step / CURVE_STEPS
            a, b, c = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
            self._lineTo((a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2))

    def _closePath(self):
        self._lineTo(self.start)


@functools.cache
def font_digits(font: str) -> tuple[Float[np.ndarray, "e 2 2"], ...]:
    """Outlines of the ten digits of one font, "0" first.

    Args:
        font: One of ``FONTS``.

    Returns:
        For each digit its directed edges as (edge, end, xy): y downwards, centred on the middle
        of its bounding box, and scaled such that the box is one high.

    Raises:
        FileNotFoundError: matplotlib does not ship that font.
    """
    # Takes long, and is not needed to list an experiment's fields.
    import matplotlib

    # Computer Modern was dated 1904 by its converter, on which fontTools remarks at each use.
    logging.getLogger("fontTools.ttLib.tables._h_e_a_d").setLevel(logging.ERROR)
    path = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    with TTFont(path, lazy=True) as opened:
        names, glyphs = opened.getBestCmap() or {}, opened.getGlyphSet()
        digits = []
        for digit in "0123456789":
            pen = Edges(glyphs)
            glyphs[names[ord(digit)]].draw(pen)
            digits.append(framed(np.array(pen.edges, float)))
    return tuple(digits)


def framed(edges: Float[np.ndarray, "e 2 2"]) -> Float[np.ndarray, "e 2 2"]:
    """Turns y downwards, centres the bounding box on the origin and makes it one high."""
    edges = edges * np.array([1.0, -1.0])
    low, high = edges.min(axis=(0, 1)), edges.max(axis=(0, 1))
    return (edges - (low + high) / 2) / (high[1] - low[1])


def coverage(
    edges: Float[np.ndarray, "e 2 2"], size: int, samples: int = 4
) -> Float[np.ndarray, "size size"]:
    """Share of each pixel that lies inside, by the nonzero winding rule.

    Args:
        edges: Directed edges (edge, end, xy) of closed contours, in pixels, y downwards, with
            the origin in the upper left corner; what lies outside the square is cut off.
        size: Height and width of the picture, in pixels.
        samples: Each pixel is probed on a regular grid of ``samples * samples`` points.

    Returns:
        Values in [0, 1], multiples of ``samples ** -2``; no edges cover nothing.
    """
    width = size * samples
    (x0, y0), (x1, y1) = (edges[:, 0] * samples).T, (edges[:, 1] * samples).T
    row = np.arange(width)[:, None] + 0.5
    line, edge = np.nonzero((y0 <= row) != (y1 <= row))
    slope = (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
    crossing = x0[edge] + (line + 0.5 - y0[edge]) * slope
    first = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
    turns = np.zeros((width, width + 1), np.int64)
    np.add.at(turns, (line, first), np.where(y1 > y0, 1, -1)[edge])
    inside = np.cumsum(turns[:, :-1], axis=1) != 0
    probes = inside.reshape(size, samples, size, samples)
    return probes.sum(axis=(1, 3)) / samples**2
