"""Series can be told apart by everyone, and never by color alone."""

import itertools
import math

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from jaxclr.report.colors import MUTED, PALETTE, look, point_style, style

EYES = {
    "usual": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What becomes of linear RGB: Machado, Oliveira, Fernandes, 2009, for those who lack a cone."""
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color):
    values = np.array(to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(color, eyes):
    """CIE 1976 L*a*b* of what such eyes see."""
    seen = XYZ @ np.clip(np.array(EYES[eyes]) @ linear(color), 0, 1)
    share = seen / XYZ.sum(1)
    root = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    x, y, z = root
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("colors", [PALETTE, MUTED], ids=["lines", "points"])
def test_colors_are_far_apart_for_all_kinds_of_eyes(colors, eyes):
    """A difference of 2.3 can just be noticed."""
    seen = [lab(color, eyes) for color in colors]
    assert min(math.dist(a, b) for a, b in itertools.combinations(seen, 2)) > 15


@pytest.mark.parametrize("color", PALETTE)
def test_lines_stand_out_from_the_page(color):
    """By the contrast of WCAG 2."""
    assert 1.05 / (XYZ[1] @ linear(color) + 0.05) > 2


def test_no_two_of_many_series_share_color_and_marker_and_the_first_share_neither():
    for of, many, few in ((style, 63, 7), (point_style, 90, 9)):
        styles = [of(place) for place in range(many)]
        assert len(set(styles)) == many
        for values in zip(*styles[:few], strict=True):
            assert len(set(values)) == few


def test_within_the_look_the_users_settings_do_not_count_and_outside_it_nothing_changes():
    with matplotlib.rc_context({"figure.facecolor": "black", "font.size": 40}):
        before = dict(matplotlib.rcParams)
        with look():
            assert matplotlib.rcParams["figure.facecolor"] == "white"
            assert matplotlib.rcParams["font.size"] == 10
        assert dict(matplotlib.rcParams) == before
