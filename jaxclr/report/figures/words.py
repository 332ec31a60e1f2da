"""Names of all kinds as text that fits: shortened in the middle, drawn letter by letter."""

import bisect
import functools
import math
from collections import Counter
from collections.abc import Sequence

from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import TextToPath

from jaxclr.report.colors import TEXT, families

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def fitted(text: str, width: float, *, size: float = TEXT) -> str:
    """A name as matplotlib draws it literally, no wider than ``width``.

    What is too wide loses letters in its middle, since names often differ at either end. Letters
    that no font here has are written as Python escapes them; dollars begin no formula.

    Args:
        text: Any name.
        width: In points, 72 an inch.
        size: Of the letters, in points.
    """
    return _shortened(printable(text), width, size).replace("$", r"\$")


def all_fitted(names: Sequence[str], width: float, *, size: float = TEXT) -> list[str]:
    """Each of several names, fitted; those that then look alike begin with their place.

    Args:
        names: Of classes, domains or experiments.
        width: In points, 72 an inch.
        size: Of the letters, in points.
    """
    found = [fitted(name, width, size=size) for name in names]
    times = Counter(found)
    return [
        fitted(f"{place}: {name}", width, size=size) if times[text] > 1 else text
        for place, (name, text) in enumerate(zip(names, found, strict=True))
    ]


def printable(text: str) -> str:
    """The same on one line, with nothing in it that the fonts lack."""
    line = " ".join(text.split())
    return "".join(
        letter if ord(letter) in _glyphs() else letter.encode("unicode_escape").decode()
        for letter in line
    )


def width_of(text: str, *, size: float = TEXT) -> float:
    """How wide a printable text is, in points, letters that lean on each other aside."""
    return math.fsum(map(_advance, text)) * size


def _shortened(text: str, width: float, size: float) -> str:
    if width_of(text, size=size) <= width:
        return text

    def cut(kept: int) -> str:
        return text[: kept - kept // 2] + ELLIPSIS + text[len(text) - kept // 2 :]

    # The first number of letters that is too many.
    above = bisect.bisect_left(
        range(len(text)), True, key=lambda kept: width_of(cut(kept), size=size) > width
    )
    return cut(max(above - 1, 1))


@functools.cache
def _advance(letter: str) -> float:
    """The width of a letter of size 1; measured larger, since metrics are rounded."""
    font = FontProperties(family=list(families()), size=100)
    return float(TextToPath().get_text_width_height_descent(letter, font, ismath=False)[0]) / 100


@functools.cache
def _glyphs() -> frozenset[int]:
    found: set[int] = set()
    for family in families():
        found.update(FT2Font(findfont(family)).get_charmap())
    return frozenset(found)
