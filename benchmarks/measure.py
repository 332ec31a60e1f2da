"""Contestants that take turns: each a process of its own, told over a pipe to make some steps.

Torch and JAX never share a process: each would count the other's threads as its own. A contestant
that waits for its turn sleeps on its pipe. Ratios are taken round by round, so that what slows the
machine for a while slows both sides of a ratio.
"""

import contextlib
import json
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ONE_THREAD_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
LONG = 10.0
LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Work(NamedTuple):
    """What a contestant does in its process."""

    run: Callable[[int], None]
    """Makes so many steps, and returns when they are done."""
    tell: Callable[..., dict[str, Any]] = dict
    """Answers what is asked beside times; JSON."""


class Times(NamedTuple):
    """Of one step, in seconds."""

    wall: float
    cpu: float
    """Over all threads of the process."""


class Spread(NamedTuple):
    """Of values of all rounds."""

    median: float
    min: float
    max: float


class ContestantError(RuntimeError):
    """A contestant failed; the message is its traceback."""


class TooSlow(RuntimeError):
    """A contestant did not answer in the time it had, and was ended."""


def spread(values: Iterable[float]) -> Spread:
    """Median, least and greatest."""
    values = list(values)
    return Spread(statistics.median(values), min(values), max(values))


def cores() -> list[int]:
    """The processor cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def environment(threads: int, devices: int = 1) -> dict[str, str]:
    """The variables that give a process so many threads, and so many virtual devices."""
    flags = [ONE_THREAD_XLA] if threads == 1 else []
    flags += [f"--xla_force_host_platform_device_count={devices}"] if devices > 1 else []
    chosen = {**dict.fromkeys(LIBRARIES, str(threads)), "XLA_FLAGS": " ".join(flags)}
    return {**os.environ, **chosen, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


class Contestant:
    """A process that makes steps when told to.

    Args:
        name: Of this contestant, among those of its race.
        maker: ``module:function`` in this folder; called in the process, it returns a ``Work``.
        threads: How many cores the process is pinned to, the first ones, and as many threads.
        devices: How many virtual devices JAX sees.
        arguments: Of the maker; JSON.
    """

    def __init__(self, name: str, maker: str, *, threads: int, devices: int = 1, **arguments: Any):
        self.name, self.threads = name, threads
        chosen = cores()[:threads]
        command = [sys.executable, str(HERE / "contestant.py"), maker, json.dumps(arguments)]
        command += [",".join(map(str, chosen))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(len(chosen), devices),
        )  # fmt: skip

    def ready(self) -> Times:
        """Waits until the process has made its first step; returns the times of that call."""
        self.first = self._times(self._answer(None))
        return self.first

    def steps(self, count: int, limit: float | None = None) -> Times:
        """Has it make so many steps; returns the times of one.

        Raises:
            TooSlow: They took longer than so many seconds; the process is ended.
        """
        wall, cpu = self._times(self._asked({"steps": count}, limit))
        return Times(wall / count, cpu / count)

    def tell(self, **question: Any) -> dict[str, Any]:
        """Asks what there is to know beside times."""
        return self._asked({"tell": question}, None)

    def resident(self) -> int:
        """Bytes of memory that the process holds now."""
        return resident(self._process.pid)

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, question: dict[str, Any], limit: float | None) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer(limit)

    def _answer(self, limit: float | None) -> dict[str, Any]:
        if not select.select([self._process.stdout], [], [], limit)[0]:
            self._process.kill()
            raise TooSlow(f"{self.name} took over {limit:.0f} s.")
        line = self._process.stdout.readline()
        if not line:
            raise ContestantError(f"{self.name} ended with code {self._process.wait()}.")
        found = json.loads(line)
        if "error" in found:
            raise ContestantError(f"{self.name}:\n{found['error']}")
        return found

    @staticmethod
    def _times(found: Mapping[str, float]) -> Times:
        return Times(found["wall"], found["cpu"])


def steps_for(seconds: float, one: Times, most: int = 200) -> int:
    """How many steps make a turn of about so many seconds; at least one."""
    return max(1, min(most, round(seconds / max(one.wall, 1e-6))))


@contextlib.contextmanager
def together(contestants: Sequence[Contestant]) -> Iterator[None]:
    """Waits until all are ready, one after another, and ends them all in the end."""
    try:
        for contestant in contestants:
            contestant.ready()
        yield
    finally:
        for contestant in contestants:
            contestant.close()


def race(
    contestants: Sequence[Contestant], rounds: int, *, turn: float = 0.5, most: int = 200
) -> dict[str, list[Times]]:
    """The times of a step of every contestant in every round.

    Each round begins with another contestant. Before the first one, each makes a step that is not
    counted, which says how many fill a turn; but not who took so long for the first call that one
    step is sure to.

    Args:
        contestants: All ready.
        rounds: How many times each has its turn.
        turn: Seconds that a turn should last, at least one step.
        most: Steps in a turn, at most.
    """
    counts = {
        c.name: 1 if c.first.wall > LONG else steps_for(turn, c.steps(1), most) for c in contestants
    }
    found: dict[str, list[Times]] = {c.name: [] for c in contestants}
    for number in range(rounds):
        first = number % len(contestants)
        for contestant in (*contestants[first:], *contestants[:first]):
            found[contestant.name].append(contestant.steps(counts[contestant.name]))
    return found


def ratios(over: Sequence[Times], under: Sequence[Times], which: str) -> Spread:
    """The ratios, round by round, of one side's times to the other's.

    Args:
        over: Above the line.
        under: Below it.
        which: ``wall`` or ``cpu``.
    """
    return spread(getattr(a, which) / getattr(b, which) for a, b in zip(over, under, strict=True))


def compiling(contestant: Contestant, times: Sequence[Times]) -> float:
    """CPU seconds of the first call beyond those of a step."""
    return max(contestant.first.cpu - statistics.median(t.cpu for t in times), 0.0)


def taken(run: Callable[[int], None], steps: int) -> Times:
    """The times of a call, all its steps together."""
    wall, cpu = time.perf_counter(), time.process_time()
    run(steps)
    return Times(time.perf_counter() - wall, time.process_time() - cpu)


def resident(process: int | str = "self") -> int:
    """Bytes of memory that a process holds now."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(process: int) -> float:
    """CPU time that another process has taken so far, with those of its children that ended."""
    # The name, which stands in brackets, may hold spaces.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
