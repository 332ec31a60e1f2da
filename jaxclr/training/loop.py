"""The only loop: batches through the step, evaluations and checkpoints between."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax

from jaxclr.evaluator import Evaluate, Scores
from jaxclr.metrics import Journal, Window
from jaxclr.progress import RunView
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.layout import Layout
from jaxclr.training.preemption import Stop, Stopped
from jaxclr.training.state import TrainState
from jaxclr.training.step import Metrics
from jaxclr.types import Batch

Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
"""A train step to which what is frozen has been given."""
Renew = Callable[[TrainState], TrainState]
"""From a state to the same with a new bank."""


class Plan(NamedTuple):
    """When a loop does what."""

    steps: int
    log_every: int
    eval_every: int
    images_per_step: int
    epoch_steps: int

    def closes_window(self, step: int) -> bool:
        """Whether a line of metrics ends with step ``step``: so that none spans a checkpoint."""
        return step % self.log_every == 0 or self.tests(step)

    def tests(self, step: int) -> bool:
        """Whether the state after step ``step`` is tested and saved."""
        return step % self.eval_every == 0 or step == self.steps


class Clock:
    """Time of a run over all its sittings, and of its steps without what lies between them."""

    def __init__(self, seconds: float):
        self._offset, self._begun = seconds, time.perf_counter()
        self._stepping, self._steps, self._mark = 0.0, 0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the run's first start, time it was not running left out."""
        return self._offset + time.perf_counter() - self._begun

    @property
    def seconds_per_step(self) -> float | None:
        """Over the steps of this sitting but its first, which compiles; None before a second."""
        return self._stepping / self._steps if self._steps else None

    def step(self) -> None:
        """Counts the time since the last mark as a step."""
        now = time.perf_counter()
        self._stepping, self._steps, self._mark = (
            self._stepping + now - self._mark,
            self._steps + 1,
            now,
        )

    def mark(self) -> None:
        """Leaves out the time until now."""
        self._mark = time.perf_counter()


def train(
    state: TrainState, batches: Iterator[Batch], train_step: Step, test: Evaluate, *,
    renew: Renew | None, start: int, window: Window, plan: Plan, layout: Layout, clock: Clock,
    journal: Journal, checkpoints: Checkpoints, view: RunView, on_pace: Callable[[float], None],
    stop: Stop,
) -> TrainState:  # fmt: skip
    """Trains from step ``start`` to the end of the plan.

    Metrics are fetched a step late: while the host reads those of one step, the devices already
    work on the next. A loss that is not finite stops the run before anything of it is saved.
    Where the program is asked to end, the state is saved as it is, untested, with the sums of the
    window of steps that it is in: the run goes on as if nothing had happened.

    Args:
        state: After ``start`` steps; it is donated.
        batches: Of the steps from ``start`` on.
        train_step: Jitted.
        test: Tests a state.
        renew: Makes the method's bank anew, before the first step of every epoch; None where
            there is no bank.
        start: How many steps have been made.
        window: The metrics of those that no line tells of yet.
        plan: When to log, test and stop.
        layout: Where batches go.
        clock: Started when the run was.
        journal: Already cut back to ``start``.
        checkpoints: Where states are saved.
        view: What the terminal shows.
        on_pace: Told the seconds of a step each time a window of steps closes.
        stop: Whether the program is asked to end.

    Raises:
        Stopped: It was.
    """
    late = None
    for step, batch in enumerate(batches, start + 1):
        if renew is not None and (step - 1) % plan.epoch_steps == 0:
            state = renew(state)
        state, metrics = train_step(state, layout.put_batch(batch))
        if late is not None:
            window.add(step - 1, _fetched(late))
        late = metrics
        closes, stopped = plan.closes_window(step), stop()
        if closes or stopped:
            window.add(step, _fetched(late))
            late = None
        if step == start + 1:
            jax.block_until_ready(metrics)
            clock.mark()
        else:
            clock.step()
        if closes:
            line = window.close()
            journal.write(step, line)
            _show(view, on_pace, clock, plan, step, line)
        if plan.tests(step) or stopped:
            found = test(state) if plan.tests(step) else None
            if found:
                journal.write(step, {**_tested(found), **window.close_parts()})
                view.tested(step, found.target.total, found.source.total)
            checkpoints.save(
                step, state, seconds=clock.seconds, window=window.sums,
                source_accuracy=found and found.source.total,
            )  # fmt: skip
            clock.mark()
        if stopped and step < plan.steps:
            checkpoints.wait()
            view.stopped(step)
            raise Stopped
    checkpoints.wait()
    return state


def _fetched(metrics: Metrics) -> dict[str, Any]:
    return {name: value.tolist() for name, value in jax.device_get(metrics).items()}


def _tested(found: Scores) -> dict[str, object]:
    return {
        "accuracy": found.target.total,
        "accuracy_per_class": found.target.per_class,
        "source_accuracy": found.source.total,
        "held_back_accuracy": found.held_back.total if found.held_back else None,
        **found.more,
    }


def _show(
    view: RunView, on_pace: Callable[[float], None], clock: Clock, plan: Plan, step: int,
    line: dict[str, float | None],
) -> None:  # fmt: skip
    pace = clock.seconds_per_step
    if pace:
        view.show(step, line, plan.images_per_step / pace, pace * (plan.steps - step))
        on_pace(pace)
