import io
import itertools
import re

import pytest
from rich.console import Console

from jaxclr import progress
from jaxclr.progress import RunView, Tally, amount, duration, figures, folded

LINE = {
    "consistency": 2.04, "loss": 2.78, "supervised": 0.0786,
    "pseudo_label_keep_rate": 73.2, "pseudo_label_accuracy": 99.1,
}  # fmt: skip


def shown(*, terminal: bool, width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=width)
    with RunView(console, "digits_fixclr outline seed 1", steps=250, start=0) as view:
        view.show(120, LINE, 377.4, 3700.0)
        view.tested(125, 81.25, 100.0)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_terminal_shows_a_bar_and_every_figure_uncut(width):
    text = shown(terminal=True, width=width)
    below = [line for line in text.replace("\r", "\n").splitlines() if "target" not in line]
    assert max(map(len, below)) <= width
    for part in (
        "120/250", "377 images/s", "1 h 01 min left", "loss 2.78", "consistency 2.04",
        "supervised 0.0786", "kept 73% (99% right)", "target 81.2%", "source 100.0%",
    ):  # fmt: skip
        assert part in text
    assert "…" not in text


def test_a_file_gets_plain_lines():
    lines = shown(terminal=False, width=80).splitlines()
    assert lines[0] == "digits_fixclr outline seed 1: 250 steps"
    assert lines[1].startswith("digits_fixclr outline seed 1 120/250  loss 2.78")
    assert lines[2] == "digits_fixclr outline seed 1 125/250  target 81.2%  source 100.0%"
    assert len(lines) == 3


def test_nothing_kept_is_told_without_an_accuracy():
    line = LINE | {"pseudo_label_keep_rate": 0.0, "pseudo_label_accuracy": None}
    assert figures(line)[-1] == "kept 0%"


def test_lines_are_broken_between_figures_only():
    """Against the narrowest width that all lines of a fold have, by trying every way to break."""
    parts = figures(LINE)
    for width in range(24, 90):
        lines = folded(parts, width)
        assert "  ".join(lines) == "  ".join(parts)
        assert max(map(len, lines)) <= width
        fewest = min(
            len(tried)
            for breaks in itertools.product(["  ", "\n"], repeat=len(parts) - 1)
            if max(map(len, tried := joined(parts, breaks))) <= width
        )
        assert len(lines) == fewest


def joined(parts, breaks):
    return "".join(p + b for p, b in zip(parts, (*breaks, ""), strict=True)).split("\n")


def test_what_is_below_the_bar_never_gets_shorter():
    """Else the bar jumps up and down with the digits of its figures."""
    console = Console(file=io.StringIO(), force_terminal=True, width=60)
    view = RunView(console, "digits_fixclr outline seed 1", steps=250, start=0)
    heights = []
    for line in ({"loss": 1.0}, LINE, {"loss": 1.0}):
        view.show(120, line, 377.4, 3700.0)
        heights.append(len(console.render_lines(view._screen())))
    assert heights == sorted(heights)
    assert heights[0] < heights[-1]


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (200.0, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_counted_images_are_told_with_pace_and_time_left(monkeypatch):
    """Four images take five seconds each: a line is due after more than fifteen."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    file = io.StringIO()
    with Tally(Console(file=file, width=80), "pacs: decoding", 5) as tally:
        for _ in range(4):
            now[0] += 5
            tally.step()
    assert file.getvalue() == "pacs: decoding 4/5  0.2 images/s  5 s left\n"


def test_counted_images_are_a_bar_on_a_terminal():
    file = io.StringIO()
    with Tally(Console(file=file, force_terminal=True, width=80), "decoding", 2) as tally:
        tally.step()
        tally.step()
    assert "2/2" in file.getvalue()


@pytest.mark.parametrize(
    "size, text",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (2304, "2.3 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_501, "1.0 MB"),
        (41_400_000, "41.4 MB"),
        (1_540_000_000, "1.5 GB"),
        (5_000_000_000_000, "5000 GB"),
    ],
)
def test_bytes_are_said_as_people_say_them(size, text):
    assert amount(size) == text
