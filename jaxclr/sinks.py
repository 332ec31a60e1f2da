"""Who takes a run's figures beside ``metrics.jsonl``: TensorBoard, and Weights & Biases."""

import ast
import html
import importlib
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxclr.pipeline.atomic import replacing

FLUSH_SECONDS = 10.0
"""After which what was told has to be on the disk for TensorBoard to show."""

LOGIN_SECONDS = 60.0
"""How long the start of a run may wait for an answer to whose account it is."""

FINISH_SECONDS = 120.0
"""How long the end of a run may wait for Weights & Biases to take the rest."""

STRING = 7
"""What holds text among TensorFlow's types."""


class Facts(NamedTuple):
    """Which run it is."""

    experiment: str
    target: str
    seed: int
    folder: Path
    """Where it is written."""
    classes: tuple[str, ...]
    code: str
    """The experiment as code."""
    settings: str
    """The same as lines ``path = value``; see :func:`jaxclr.experiment.outcome`."""


@runtime_checkable
class Sink(Protocol):
    """What takes the figures of one run, from its first step or from a checkpoint on."""

    @property
    def fresh(self) -> bool:
        """Whether no earlier sitting of the run has told it anything."""
        ...

    @property
    def where(self) -> str | None:
        """Where people look at it, if that is worth telling."""
        ...

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Takes figures by their names."""
        ...

    def text(self, name: str, text: str) -> None:
        """Takes a text that holds for the whole run."""
        ...

    def image(self, step: int, name: str, file: Path) -> None:
        """Takes a PNG."""
        ...

    def close(self, *, failed: bool) -> None:
        """Ends the sitting; ``failed``: before the run's end."""
        ...


class TensorBoard:
    """Event files in the run's folder ``tensorboard``, a further one for each sitting.

    Args:
        facts: Of the run.
        step: After which it goes on; what an earlier sitting told of later steps is marked as void.
    """

    where = None

    def __init__(self, facts: Facts, step: int):
        # Its SummaryWriter writes in a thread that, once the disk is full, nobody empties the
        # queue of any more: the run would wait forever. This is the writer beneath.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self._events: Any = event_pb2
        self._summaries: Any = summary_pb2
        folder = facts.folder / "tensorboard"
        self.fresh = not any(folder.glob("events.out.tfevents.*"))
        folder.mkdir(parents=True, exist_ok=True)
        # Files are read in the order of their names; those of one second differ in this alone.
        self._writer = EventsWriter(str(folder / "events"), f".{time.time_ns()}")
        self._flushed = time.monotonic()
        if not self.fresh:
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            self._add(step + 1, session_log=start)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Writes figures by their names, in float32 as all that TensorBoard shows."""
        value = self._summaries.Summary.Value
        self._tell(step, [value(tag=name, simple_value=figure) for name, figure in values.items()])

    def text(self, name: str, text: str) -> None:
        """Writes a text, which TensorBoard takes for Markdown, as a block of code."""
        plugin = self._summaries.SummaryMetadata.PluginData(plugin_name="text")
        value = self._summaries.Summary.Value(
            tag=name, metadata=self._summaries.SummaryMetadata(plugin_data=plugin)
        )
        value.tensor.dtype = STRING
        value.tensor.string_val.append(f"```\n{text}\n```".encode())
        self._tell(0, [value])

    def image(self, step: int, name: str, file: Path) -> None:
        """Writes a PNG as it is."""
        from PIL import Image

        with Image.open(file) as picture:
            width, height = picture.size
        image = self._summaries.Summary.Image(
            width=width, height=height, colorspace=4, encoded_image_string=file.read_bytes()
        )
        self._tell(step, [self._summaries.Summary.Value(tag=name, image=image)])

    def close(self, *, failed: bool) -> None:
        """Closes the sitting's file."""
        self._writer.close()

    def _tell(self, step: int, values: Sequence[Any]) -> None:
        self._add(step, summary=self._summaries.Summary(value=values))
        now = time.monotonic()
        if now - self._flushed > FLUSH_SECONDS:
            self._flushed = now
            self._writer.flush()

    def _add(self, step: int, **content: Any) -> None:
        self._writer.write_event(self._events.Event(step=step, wall_time=time.time(), **content))


class WeightsAndBiases:
    """A run of Weights & Biases, the same one in every sitting: its id is kept in the folder.

    What the environment says (``WANDB_MODE``, ``WANDB_PROJECT``, ``WANDB_ENTITY``) holds. A row
    told twice, by a sitting that was broken off and by the next, holds the same figures.

    Args:
        facts: Of the run.
        step: After which it goes on.
    """

    def __init__(self, facts: Facts, step: int):
        self._wandb: Any = importlib.import_module("wandb")
        kept = facts.folder / "wandb" / "run_id.txt"
        self.fresh = not kept.exists()
        key = secrets.token_hex(4) if self.fresh else kept.read_text()
        # Without the last three, a question at the terminal or a broken network waits forever.
        settings = self._wandb.Settings(
            silent=True, console="off", login_timeout=LOGIN_SECONDS,
            finish_timeout=FINISH_SECONDS, finish_timeout_raises=True,
        )  # fmt: skip
        self._run: Any = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "jaxclr"), group=facts.experiment,
            name=f"{facts.experiment} {facts.target} seed {facts.seed}", id=key,
            resume="allow", dir=str(facts.folder), config=_config(facts),
            settings=settings,
        )  # fmt: skip
        if self.fresh:
            with replacing(kept) as file:
                file.write(key.encode())
        # W&B's own steps may not go back, as those of a run do that goes on from a checkpoint.
        self._run.define_metric("*", step_metric="step")
        self.where = None if self._run.offline else self._run.url

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Sends figures by their names, as one row."""
        self._run.log({"step": step, **values})

    def text(self, name: str, text: str) -> None:
        """Sends a text as a page."""
        self._run.log({name: self._wandb.Html(f"<pre>{html.escape(text)}</pre>")})

    def image(self, step: int, name: str, file: Path) -> None:
        """Sends a PNG."""
        self._run.log({"step": step, name: self._wandb.Image(str(file))})

    def close(self, *, failed: bool) -> None:
        """Waits until all is sent; a run that has not reached its end is marked as failed."""
        self._run.finish(exit_code=int(failed))


def _config(facts: Facts) -> dict[str, Any]:
    """What runs are sorted and filtered by."""
    found: dict[str, Any] = {"target": facts.target, "seed": facts.seed}
    for line in facts.settings.splitlines():
        name, _, code = line.partition(" = ")
        if name.strip():
            try:
                found[name] = ast.literal_eval(code)
            except ValueError:
                found[name] = code
    return found
