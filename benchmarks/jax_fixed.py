"""What every step of jaxclr costs beside its arithmetic: dispatch, waiting, saving, memory."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
from jax_steps import batch, setting
from measure import Work, resident
from views import stepper
from workload import Case

from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.layout import make_layout
from jaxclr.training.state import initial_state
from jaxclr.training.step import make_train_step


def waiting(*, way: str, rounds: int) -> Work:
    """Trains on the pipeline's batches; tells which share of a step it waits for them.

    Args:
        way: How views are made, as ``views.py`` calls it.
        rounds: How many times it can be told to make steps.
    """
    seconds, shares = stepper(way, rounds + 2), []

    def run(steps: int) -> None:
        for _ in range(steps):
            whole, waited = seconds()
            shares.append(waited / whole)

    return Work(run, lambda: {"shares": shares[1:]})


class Steps:
    """Train steps of a case, one after the other."""

    def __init__(self, case: Case):
        made, layout = setting(case), make_layout(case.per_domain)
        self._step = jax.jit(
            make_train_step(made), donate_argnums=0, out_shardings=layout.replicated
        )
        self.state = layout.put_state(initial_state(made))
        self._batch = layout.put_batch(batch(case))

    def begin(self) -> None:
        """Asks for a step, and does not wait for it."""
        self.state, _ = self._step(self.state, self._batch)

    def run(self, steps: int) -> None:
        """Makes steps."""
        for _ in range(steps):
            self.begin()
        jax.block_until_ready(self.state)

    def dispatch(self, times: int = 30) -> dict[str, list[float]]:
        """Seconds that asking for a step takes."""
        found: dict[str, list[float]] = {"wall": [], "thread": []}
        for _ in range(times):
            jax.block_until_ready(self.state)
            wall, thread = time.perf_counter(), time.thread_time()
            self.begin()
            found["wall"].append(time.perf_counter() - wall)
            found["thread"].append(time.thread_time() - thread)
        jax.block_until_ready(self.state)
        return found

    def stalls(self, saves: int) -> dict[str, list[float]]:
        """Seconds that a save blocks, and those of the step before it."""
        found: dict[str, list[float]] = {"stall": [], "step": []}
        with tempfile.TemporaryDirectory() as folder:
            checkpoints = Checkpoints(Path(folder))
            for number in range(saves):
                found["step"].append(time_of(self.run))
                begun = time.perf_counter()
                checkpoints.save(number, self.state, seconds=0.0, source_accuracy=0.0)
                found["stall"].append(time.perf_counter() - begun)
                checkpoints.wait()
            checkpoints.close()
        return found


def overheads(*, case: dict[str, Any], saves: int = 5) -> Work:
    """Makes train steps; tells what a call costs its caller, and how long a save blocks."""
    steps = Steps(Case(**case))

    def tell() -> dict[str, Any]:
        return {
            "resident": resident(),
            "dispatch": steps.dispatch(),
            "saving": steps.stalls(saves),
            "arrays": sum(x.nbytes for x in jax.live_arrays()),
            "step": statistics.median(time_of(steps.run) for _ in range(3)),
        }

    return Work(steps.run, tell)


def time_of(run: Any) -> float:
    """Wall seconds of a step."""
    begun = time.perf_counter()
    run(1)
    return time.perf_counter() - begun
