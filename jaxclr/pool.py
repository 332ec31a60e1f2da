"""Many jobs: handed over as there is room, tried twice, stopped together."""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NamedTuple

from jaxclr.executors import Attempt, Executor
from jaxclr.jobs import Job
from jaxclr.progress import duration

TRIES = 2
"""How often a run may fail."""

SECONDS_TO_SAVE = 120
"""How long runs that are asked to end may take; then they are ended."""

NAMED = 10
"""How many of the runs that are left are named."""


class Failure(NamedTuple):
    """A run that failed each time."""

    job: Job
    problem: str


class Pool:
    """Jobs on their way.

    Args:
        executor: Makes them.
        say: Tells a line.
        told: What is told of a finished run beside its name.
    """

    def __init__(
        self, executor: Executor, say: Callable[[str], None], told: Callable[[Job], str]
    ):  # fmt: skip
        self._executor, self._say, self._told = executor, say, told
        self._waiting: deque[Job] = deque()
        self._running: dict[Job, tuple[Attempt, float]] = {}
        self._tries: dict[Job, int] = {}
        self._finished = self._total = 0
        self.failures: list[Failure] = []
        """Runs given up."""

    def make(self, jobs: Sequence[Job]) -> None:
        """Makes all jobs, whatever becomes of single ones.

        Raises:
            KeyboardInterrupt: All were asked to stop, and have.
            JaxclrError: The executor does not take them; those that ran were stopped.
        """
        self._waiting.extend(jobs)
        self._total += len(jobs)
        with Interruptions() as interruptions:
            try:
                while (self._waiting or self._running) and not interruptions.count:
                    self._hand_over()
                    _sleep(self._executor.pause, interruptions)
                    self._collect(again=True)
            finally:
                stopped = bool(self._waiting or self._running)
                if stopped:
                    self._stop(interruptions)
            if stopped:
                raise KeyboardInterrupt

    def _hand_over(self) -> None:
        count = min(self._executor.room, len(self._waiting))
        if count == 0:
            return
        jobs = [self._waiting.popleft() for _ in range(count)]
        try:
            attempts = self._executor.submit(jobs)
        except BaseException:
            self._waiting.extendleft(reversed(jobs))
            raise
        now = time.monotonic()
        self._running |= {job: (one, now) for job, one in zip(jobs, attempts, strict=True)}
        for job in jobs:
            self._tries[job] = self._tries.get(job, 0) + 1
            again = " again" if self._tries[job] > 1 else ""
            self._tell(self._executor.verb, f"{job.title}{again}")

    def _collect(self, again: bool) -> None:
        """Takes in what has ended; what failed for the first time waits to be tried again."""
        for job, (attempt, since) in list(self._running.items()):
            if not attempt.ended():
                continue
            del self._running[job]
            took = duration(time.monotonic() - since)
            problem = attempt.problem()
            if problem is None:
                self._finished += 1
                self._tell("finished", f"{job.title}{self._told(job)}, {took}")
            elif not again:
                self._waiting.append(job)
            elif self._tries[job] < TRIES:
                self._waiting.append(job)
                self._tell("failed", f"{job.title} after {took}: {problem}; will be tried again")
            else:
                self.failures.append(Failure(job, problem))
                self._tell("failed", f"{job.title} after {took}: {problem}; given up")

    def _stop(self, interruptions: "Interruptions") -> None:
        if self._running:
            self._say(
                f"Stopping {len(self._running)} run(s); each saves first. "
                "Interrupt once more to end them at once."
            )
        attempts = [attempt for attempt, _ in self._running.values()]
        for attempt in attempts:
            attempt.stop()
        before, deadline = interruptions.count, time.monotonic() + SECONDS_TO_SAVE
        while not all([attempt.ended() for attempt in attempts]):
            if interruptions.count > before or time.monotonic() > deadline:
                for attempt in attempts:
                    attempt.kill()
                break
            time.sleep(0.1)
        self._collect(again=False)
        left = [job.title for job in self._waiting]
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        self._say(f"{len(left)} of {self._total} runs are left: {', '.join(left[:NAMED])}{more}.")

    def _tell(self, what: str, text: str) -> None:
        counts = {"failed": len(self.failures), "running": len(self._running)}
        shown = "".join(f", {count} {name}" for name, count in counts.items() if count)
        waiting = f", {len(self._waiting)} waiting" if self._waiting else ""
        clock = time.strftime("%H:%M:%S")
        self._say(
            f"{clock} {what:<8} {text}  ({self._finished}/{self._total} finished{shown}{waiting})"
        )


class Interruptions:
    """Counts what would end this process: Ctrl-C, TERM, and HUP unless it is ignored."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruptions":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


def _sleep(seconds: float, interruptions: Interruptions) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not interruptions.count:
        time.sleep(min(left, 0.2))
