"""Names of all kinds fit where they are written, and are written as they are."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxclr.report.colors import SMALL, TEXT, look
from jaxclr.report.figures.panels import legend_below, new_figure, series_entries
from jaxclr.report.figures.words import ELLIPSIS, all_fitted, fitted

NAMES = (
    "a_rather_long_name_of_an_experiment", "WWWWWWWWWWWWWWWWWWWW", "illiillillilliillillilli" * 2,
    "$a$ and $b_2$ and cost", "class 12 of the 345 there are", "\\alpha^2 {x} % and \\beta_3",
)  # fmt: skip


@look()
def drawn(text, size, **how):
    """The pixels of a text, and its width in points."""
    figure = Figure(figsize=(6, 0.5), dpi=100)
    canvas = FigureCanvasAgg(figure)
    placed = figure.text(0.01, 0.3, text, size=size, **how)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()), 0.72 * placed.get_window_extent().width


@pytest.mark.parametrize("size", [SMALL, TEXT])
@pytest.mark.parametrize("name", NAMES)
def test_a_drawn_name_is_as_wide_as_it_may_be_and_keeps_both_its_ends(name, size):
    text = fitted(name, 80.0, size=size)
    _, width = drawn(text, size)
    # Letters are drawn on whole pixels.
    assert width <= 1.06 * 80
    start, end = text.replace(r"\$", "$").split(ELLIPSIS)
    assert name.startswith(start) and name.endswith(end) and start and end
    # Another letter, at most as wide as an em, would not fit.
    assert width > 80 - 2 * size


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_fits_is_drawn_letter_by_letter_and_never_as_a_formula(name):
    pixels, _ = drawn(fitted(name, 1000.0), TEXT)
    literal, _ = drawn(name, TEXT, parse_math=False)
    np.testing.assert_array_equal(pixels, literal)


def test_letters_without_a_glyph_and_broken_bytes_are_spelled_out_and_cause_no_warning():
    """Ancient scripts are in no font that is looked for; bytes that are no text come as halves."""
    for name in ("\U000133bc", "a\udcff", "two\nlines\tof it"):
        text = fitted(name, 1000.0)
        assert text in (r"\U000133bc", r"a\udcff", "two lines of it")
        drawn(text, TEXT)


def test_names_that_would_look_alike_are_numbered():
    names = [f"the same beginning {i} and the same end" for i in range(3)] + ["another"]
    found = all_fitted(names, 80.0)
    assert len(set(found)) == 4
    assert [text.split(":")[0] for text in found] == ["0", "1", "2", "another"]


def test_a_legend_names_everyone_even_whose_name_begins_with_an_underscore():
    figure = new_figure(10.0, 2.0, "title")
    names = ["_private", "public", "$both$"]
    legend_below(figure, series_entries(names))
    texts = [text.get_text().replace(r"\$", "$") for text in figure.legends[0].get_texts()]
    assert texts == names
    assert not series_entries(["alone"])
