"""What the terminal shows of a run: one bar where there is a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

PLAIN_SECONDS = 15.0
"""Time between two plain lines."""

BAR = 12
"""Characters of a run's bar."""


def duration(seconds: float) -> str:
    """A time as people say it: ``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class RunView:
    """One run's progress: a bar with pace and time left, and below it the loss and its terms."""

    def __init__(self, console: Console, title: str, *, steps: int, start: int):
        self._console, self._title, self._steps, self._start = console, title, steps, start
        self._spoken = 0.0
        self._figures, self._pace = ["compiling"], ""
        self._lines = 1
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            _bar(BAR),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            console=console,
        )
        self._task = self._bar.add_task(title, total=steps, completed=start, pace="")
        self._live = Live(
            get_renderable=self._screen, console=console, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> "RunView":
        if self._console.is_terminal:
            self._live.start()
        else:
            begun = f"from step {self._start} on" if self._start else f"{self._steps} steps"
            self.say(f"{self._title}: {begun}")
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(
        self, step: int, line: Mapping[str, Any], images_per_second: float, left: float
    ) -> None:
        """Shows the figures of the last steps, and the seconds that are left of the run."""
        self._pace = f"{images_per_second:.0f} images/s  {duration(left)} left"
        self._figures = figures(line)
        self._bar.update(self._task, completed=step)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._spoken > PLAIN_SECONDS:
            self._spoken = now
            told = "  ".join((*self._figures, self._pace))
            self.say(f"{self._title} {step}/{self._steps}  {told}")

    def _screen(self) -> Group:
        """The bar and the figures; where the terminal is narrow, the pace is among these.

        It never has fewer lines than before, so that what stands below it does not jump.
        """
        used = len(self._title) + BAR + 2 * len(str(self._steps)) + len(self._pace) + 4
        fits = used <= self._console.width
        self._bar.update(self._task, pace=self._pace if fits else "")
        told = self._figures if fits else [self._pace, *self._figures]
        lines = folded(told, self._console.width - 2)
        self._lines = max(self._lines, len(lines))
        lines += [""] * (self._lines - len(lines))
        text = "\n".join(f"  {line}" for line in lines)
        return Group(self._bar, Text(text, no_wrap=True, overflow="crop"))

    def tested(self, step: int, target: float, source: float) -> None:
        """Tells the accuracies, in %, of an evaluation."""
        self.say(f"{self._title} {step}/{self._steps}  target {target:.1f}%  source {source:.1f}%")

    def stopped(self, step: int) -> None:
        """Tells that the run has been asked to end, and is saved."""
        self.say(
            f"{self._title} {step}/{self._steps}  stopped and saved; the same command goes on "
            f"from step {step}"
        )

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, highlight=False, soft_wrap=True)


class Tally:
    """How far a work on many images is: a bar with pace and time left, elsewhere plain lines."""

    def __init__(self, console: Console, title: str, total: int):
        self._console, self._title, self._total = console, title, total
        self._done, self._begun = 0, time.monotonic()
        self._spoken = self._begun
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            _bar(2 * BAR),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(title, total=total, pace="")

    def __enter__(self) -> "Tally":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def step(self) -> None:
        """Counts one image more."""
        self._done += 1
        now = time.monotonic()
        speed = self._done / max(now - self._begun, 1e-9)
        left = duration((self._total - self._done) / speed)
        pace = f"{speed:.{0 if speed >= 10 else 1}f} images/s  {left} left"
        self._bar.update(self._task, completed=self._done, pace=pace)
        if not self._console.is_terminal and now - self._spoken > PLAIN_SECONDS:
            self._spoken = now
            line = f"{self._title} {self._done}/{self._total}  {pace}"
            self._console.print(line, highlight=False, soft_wrap=True)


def _bar(width: int) -> BarColumn:
    """A bar in the terminal's own colours, which suit its background, be it light or dark."""
    return BarColumn(width, "bright_black", "cyan", "green")


def amount(size: int) -> str:
    """A number of bytes as people say it: ``512 B``, ``41.4 MB``, ``1.5 GB``."""
    if size < 1000:
        return f"{size} B"
    shown, unit = size / 1000, "kB"
    for larger in ("MB", "GB"):
        if shown >= 999.5:
            shown, unit = shown / 1000, larger
    return f"{shown:.{0 if shown >= 99.95 else 1}f} {unit}"


def figures(line: Mapping[str, Any]) -> list[str]:
    """The losses of a window of steps, the whole one first, and what is kept."""
    losses = {k: v for k, v in line.items() if not k.startswith("pseudo_label")}
    terms = [f"{name} {losses[name]:.3g}" for name in sorted(losses, key=lambda k: k != "loss")]
    if (rate := line.get("pseudo_label_keep_rate")) is not None:
        right = line["pseudo_label_accuracy"]
        terms.append(f"kept {rate:.0f}%" + (f" ({right:.0f}% right)" if right is not None else ""))
    return terms


def folded(parts: Sequence[str], width: int) -> list[str]:
    """Lines of whole parts, none longer than ``width`` where its parts are not."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return lines
