"""Ending early and losing nothing: what a cluster asks for before it takes a machine away."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import jax
from jax.experimental import multihost_utils


class Stopped(Exception):
    """The program was asked to end; its run is saved, and the same command goes on from there."""


class Stop:
    """Whether the program has been asked to end, by SIGTERM; one for all of its runs.

    Several processes agree on a step: asked is whoever receives the signal, and after the same
    step all learn of it. They then ask it alike, once after every step.
    """

    def __init__(self) -> None:
        self._asked, self._steps = False, 0

    def __call__(self) -> bool:
        """Whether to end after this step; thereafter always."""
        self._steps += 1
        if jax.process_count() > 1:
            # Steps are counted over all runs: the agreement is on a number that only grows.
            self._asked |= multihost_utils.reached_preemption_sync_point(self._steps)
        return self._asked

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """For as long as the block lasts, a first SIGTERM is noted, and a second one ends at once.

        Among several processes, JAX has listened since they were joined.
        """
        if jax.process_count() > 1 or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(number, signal.SIG_DFL)
