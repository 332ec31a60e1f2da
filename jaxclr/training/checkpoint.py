"""Checkpoints: the state of a run, saved by Orbax while training goes on."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as keep

from jaxclr.errors import JaxclrError
from jaxclr.training.state import TrainState


class Restored(NamedTuple):
    """What a run goes on from."""

    state: TrainState
    step: int
    seconds: float
    """How long the run had taken until then."""
    window: Mapping[str, Any] = MappingProxyType({})
    """Sums of the metrics of the steps before it of which no line tells yet."""


class Checkpoints:
    """The last two checkpoints of a run, and the best by accuracy on its *source* domains.

    Never by the target: it stands for a domain that nobody has seen. One that was not tested is
    never the best. A save is atomic: a process killed within it leaves the earlier checkpoints as
    they were. Several processes write one checkpoint together, into a folder that all share.

    Args:
        folder: Where they are; made if need be.
    """

    def __init__(self, folder: Path):
        # Orbax logs its housekeeping as warnings, and of what it raises it logs the traceback, too.
        for name in ("absl", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        best = keep.BestN(
            get_metric_fn=_source_accuracy, n=1, keep_checkpoints_without_metrics=False
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep.AnyPreservationPolicy([keep.LatestN(2), best]),
            # Without this, metrics are not saved, and a resumed run forgets which was the best.
            best_fn=_source_accuracy,
            create=True,
        )
        self.folder = folder
        handlers = {"state": ocp.StandardCheckpointHandler(), "clock": ocp.JsonCheckpointHandler()}
        self._manager = _Manager(folder.absolute(), options=options, item_handlers=handlers)

    def save(
        self, step: int, state: TrainState, *,
        seconds: float, source_accuracy: float | None,
        window: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """Starts saving; the state is copied before this returns.

        Args:
            step: How many have been made.
            state: After them.
            seconds: How long they took.
            source_accuracy: Of the state, in %; None where it was not tested.
            window: Sums of the metrics of the steps of which no line tells yet.

        Raises:
            JaxclrError: This save or an earlier one cannot be written.
        """
        items = {
            "state": ocp.args.StandardSave(_plain(state)),
            "clock": ocp.args.JsonSave({"seconds": seconds, "window": dict(window)}),
        }
        tested = None if source_accuracy is None else {"source_accuracy": source_accuracy}
        with self._told():
            self._manager.save(step, args=ocp.args.Composite(**items), metrics=tested)

    def restore(self, like: TrainState) -> Restored | None:
        """The latest checkpoint, laid out as ``like``; None where there is none.

        Args:
            like: Arrays, or what stands for them; on as many devices as one likes, whatever the
                number of those that it was saved from.

        Raises:
            JaxclrError: It does not fit ``like``, or is damaged.
        """
        if (step := self._manager.latest_step()) is None:
            return None
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, _plain(like))
        self._refuse_misfit(step, abstract)
        items = {"state": ocp.args.StandardRestore(abstract), "clock": ocp.args.JsonRestore()}
        found = self._manager.restore(step, args=ocp.args.Composite(**items))
        leaves = [found["state"][str(i)] for i in range(len(jax.tree.leaves(like)))]
        state = jax.tree.unflatten(jax.tree.structure(like), leaves)
        clock = found["clock"]
        return Restored(state, step, clock["seconds"], clock.get("window", {}))

    def _refuse_misfit(self, step: int, wanted: dict[str, jax.ShapeDtypeStruct]) -> None:
        saved = self._manager.item_metadata(step)["state"] or {}
        shapes = {name: tuple(leaf.shape) for name, leaf in saved.items()}
        if shapes != {name: leaf.shape for name, leaf in wanted.items()}:
            raise JaxclrError(
                f"The checkpoint of step {step} in {self.folder} is damaged, or does not fit this "
                "experiment: its arrays are of other shapes. Give another --workdir, or remove "
                "the folder."
            )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Says what to do where a save fails; Orbax and its engine raise many kinds of error."""
        try:
            yield
        except Exception as error:
            raise JaxclrError(
                f"A checkpoint cannot be written to {self.folder}: {str(error).splitlines()[0]} "
                "Free some space, or give another --workdir; the same command then goes on from "
                "the checkpoint before it."
            ) from error

    def wait(self) -> None:
        """Returns when every save is on disk.

        Raises:
            JaxclrError: One cannot be written.
        """
        with self._told():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, and lets go of the folder."""
        self._manager.close()


class _Manager(ocp.CheckpointManager):
    """Orbax's manager, but for the question whether the program is asked to end.

    That is the loop's to ask: its processes agree on a number of questions, and those that Orbax
    asks besides, some of them in one process alone, would break the agreement.
    """

    def reached_preemption(self, step: int) -> bool:
        """Never says so."""
        return False


def _source_accuracy(metrics: Mapping[str, float]) -> float:
    return metrics["source_accuracy"]


def _plain(state: TrainState) -> dict[str, Any]:
    """The state's arrays, numbered: empty parts, such as no average, need no special case."""
    return {str(i): leaf for i, leaf in enumerate(jax.tree.leaves(state))}
