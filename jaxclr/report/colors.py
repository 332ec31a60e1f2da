"""How pictures look: colors that colour-blind readers tell apart, markers, sizes of letters."""

import contextlib
import functools
from collections.abc import Iterator
from types import MappingProxyType
from typing import NamedTuple

import matplotlib.style
from matplotlib.font_manager import fontManager

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's (https://jfly.uni-koeln.de/color/, 2008), without their yellow, which is pale on
white; in an order that keeps the first ones far apart for all eyes."""
MUTED = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933"),
    *("#AA4499", "#8866EE"),
)
"""Tol's muted scheme (https://personal.sron.nl/~pault/, 2021), and a violet: ten for points, which
need less contrast than lines. A black outline shows on each."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""As many as have no divisor in common with 7 or 10 colors, so that 63 or 90 pairs differ."""
GREY, LIGHT, PALE = "#8C8C8C", "#BBBBBB", "#DDDDDD"
SCALE, SHARES = "cividis", "Blues"
"""Of quantities, and of shares that are mostly none: both differ in lightness, which every eye
sees."""
TEXT, SMALL = 10.0, 8.5
"""Sizes of letters, in points."""
MORE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Malgun Gothic", "Arial Unicode MS"),
)
"""Where letters are looked for that matplotlib's own font lacks, if they are installed."""


class Style(NamedTuple):
    """What tells one series from another: never the color alone."""

    color: str
    marker: str


def style(place: int) -> Style:
    """The style of the ``place``-th of several series; the first 63 differ.

    The first seven differ both in color and in marker.

    Args:
        place: At least 0.
    """
    return Style(PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)])


def point_style(place: int) -> Style:
    """The style of the ``place``-th of several kinds of points; the first 90 differ.

    The first nine differ both in color and in marker.

    Args:
        place: At least 0.
    """
    return Style(MUTED[place % len(MUTED)], MARKERS[place % len(MARKERS)])


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Within it, pictures are drawn in this package's style, whatever the user's settings.

    Outside it nothing changes. It decorates functions, too.
    """
    with matplotlib.style.context(["default", {**_settings(), "font.family": list(families())}]):
        yield


@functools.cache
def families() -> tuple[str, ...]:
    """The fonts of all letters, in the order in which they are asked for a glyph."""
    installed = {font.name for font in fontManager.ttflist}
    return "DejaVu Sans", *(name for name in MORE_FONTS if name in installed)


def _settings() -> MappingProxyType[str, object]:
    return MappingProxyType({
        "font.size": TEXT,
        "axes.titlesize": TEXT,
        "axes.labelsize": TEXT,
        "figure.titlesize": TEXT + 2,
        "figure.titleweight": "bold",
        "legend.fontsize": TEXT,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.facecolor": "white",
        "axes.edgecolor": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": PALE,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.8,
        "lines.markersize": 5.5,
        "legend.frameon": False,
        "image.cmap": SCALE,
        # So that the same data give the same bytes, and letters stay letters in a paper.
        "svg.hashsalt": "jaxclr",
        "pdf.fonttype": 42,
    })  # fmt: skip
