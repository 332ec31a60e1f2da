"""What the terminal shows of a run: one bar where there is a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

PLAIN_SECONDS = 15.0
"""Time between two plain lines."""


def duration(seconds: float) -> str:
    """A time as people say it: ``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class RunView:
    """One run's progress: step, loss and its terms, pseudo-labels, images a second, time left."""

    def __init__(self, console: Console, title: str, *, steps: int, start: int):
        self._console, self._title, self._steps, self._start = console, title, steps, start
        self._spoken = 0.0
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=steps, completed=start, figures="compiling")

    def __enter__(self) -> "RunView":
        self._bar.start()
        if not self._console.is_terminal:
            begun = f"from step {self._start}" if self._start else f"{self._steps} steps"
            self._console.print(f"{self._title}: {begun}", highlight=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(
        self, step: int, line: Mapping[str, Any], images_per_second: float, left: float
    ) -> None:
        """Shows the figures of the last steps, and the seconds that are left of the run."""
        text = figures(line, images_per_second, left)
        self._bar.update(self._task, completed=step, figures=text)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._spoken > PLAIN_SECONDS:
            self._spoken = now
            self.say(f"{self._title} {step}/{self._steps}  {text}")

    def tested(self, step: int, target: float, source: float) -> None:
        """Tells the accuracies, in %, of an evaluation."""
        self.say(f"{self._title} {step}/{self._steps}  target {target:.1f}%  source {source:.1f}%")

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, highlight=False, soft_wrap=True)


def figures(line: Mapping[str, Any], images_per_second: float, left: float) -> str:
    """The figures of a window of steps on one line."""
    terms = [
        f"{name} {value:.3g}"
        for name, value in line.items()
        if value is not None and not name.startswith("pseudo_label")
    ]
    if (rate := line.get("pseudo_label_keep_rate")) is not None:
        right = line["pseudo_label_accuracy"]
        terms.append(f"kept {rate:.0f}%" + (f" ({right:.0f}% right)" if right is not None else ""))
    return "  ".join([*terms, f"{images_per_second:.0f} images/s", f"{duration(left)} left"])
