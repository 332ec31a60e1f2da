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


def overheads(*, case: dict[str, Any], saves: int = 5) -> Work:
    """Makes train steps; tells what a call costs its caller, and how long a save blocks."""
    chosen = Case(**case)
    made = setting(chosen)
    layout = make_layout(chosen.per_domain)
    train_step = jax.jit(make_train_step(made), donate_argnums=0, out_shardings=layout.replicated)
    state = layout.put_state(initial_state(made))
    given = layout.put_batch(batch(chosen))

    def run(steps: int) -> None:
        nonlocal state
        for _ in range(steps):
            state, _ = train_step(state, given)
        jax.block_until_ready(state)

    def dispatch(times: int = 30) -> dict[str, list[float]]:
        nonlocal state
        found: dict[str, list[float]] = {"wall": [], "thread": []}
        for _ in range(times):
            jax.block_until_ready(state)
            wall, thread = time.perf_counter(), time.thread_time()
            state, _ = train_step(state, given)
            found["wall"].append(time.perf_counter() - wall)
            found["thread"].append(time.thread_time() - thread)
        jax.block_until_ready(state)
        return found

    def stalls() -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"stall": [], "step": []}
        with tempfile.TemporaryDirectory() as folder:
            checkpoints = Checkpoints(Path(folder))
            for number in range(saves):
                begun = time.perf_counter()
                run(1)
                found["step"].append(time.perf_counter() - begun)
                begun = time.perf_counter()
                checkpoints.save(number, state, seconds=0.0, source_accuracy=0.0)
                found["stall"].append(time.perf_counter() - begun)
                checkpoints.wait()
            checkpoints.close()
        return found

    def tell() -> dict[str, Any]:
        rest = resident()
        return {
            "resident": rest,
            "dispatch": dispatch(),
            "saving": stalls(),
            "arrays": sum(x.nbytes for x in jax.live_arrays()),
            "step": statistics.median(time_of(run) for _ in range(3)),
        }

    return Work(run, tell)


def time_of(run: Any) -> float:
    """Wall seconds of a step."""
    begun = time.perf_counter()
    run(1)
    return time.perf_counter() - begun
