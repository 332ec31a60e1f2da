"""``--log-to``: a run is told of elsewhere while it goes on, by :mod:`jaxclr.sinks`.

Figures have the names that they have in ``metrics.jsonl``, nested ones joined by ``/``.
"""

import contextlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jaxclr.errors import InputError, nearest
from jaxclr.sinks import Facts, Sink, TensorBoard, WeightsAndBiases

if TYPE_CHECKING:
    from rich.console import Console

    from jaxclr.run import Run

PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb"}
"""What each logger needs; they are extras of the same names."""

CONFIG = "text/config"
"""The experiment as code."""

KINDS: Mapping[str, Callable[[Facts, int], Sink]] = {
    "tensorboard": TensorBoard, "wandb": WeightsAndBiases,
}  # fmt: skip


class Loggers:
    """All sinks of a run; one that fails is told of and left out, and the run goes on.

    Args:
        facts: Of the run; None where nothing is logged.
        names: Of the loggers.
        say: Told what the user should know.
        kinds: The loggers that there are.
    """

    def __init__(
        self, facts: Facts | None = None, names: Iterable[str] = (),
        say: Callable[[str], None] = print,
        kinds: Mapping[str, Callable[[Facts, int], Sink]] = KINDS,
    ):  # fmt: skip
        self._facts, self._say = facts, say
        self._kinds = {name: kinds[name] for name in dict.fromkeys(names)}
        self._sinks: dict[str, Sink] = {}

    def begin(self, step: int, lines: Iterable[Mapping[str, Any]]) -> None:
        """Opens every sink.

        Args:
            step: After which the run goes on; below 0: it begins.
            lines: What the journal holds up to there; a sink that was not told yet is told now.
        """
        facts = self._facts
        if facts is None:
            return
        for name, kind in self._kinds.items():
            with self._guarded(name):
                sink = self._sinks[name] = kind(facts, step)
                if sink.where:
                    self._say(f"{facts.target} seed {facts.seed} is shown at {sink.where}")
                if sink.fresh or step < 0:
                    sink.text(CONFIG, facts.code)
                for line in lines if sink.fresh else ():
                    if values := scalars(line, facts.classes):
                        sink.write(line["step"], values)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Hands on a line of ``metrics.jsonl``."""
        if self._facts and (found := scalars(values, self._facts.classes)):
            for name, sink in list(self._sinks.items()):
                with self._guarded(name):
                    sink.write(step, found)

    def images(self, step: int, files: Iterable[Path]) -> None:
        """Hands on the PNGs of figures, each by the name of its file."""
        for file in files:
            for name, sink in list(self._sinks.items()):
                with self._guarded(name):
                    sink.image(step, f"figures/{file.stem}", file)

    def report(self, step: int, folder: Path) -> None:
        """Hands on the pictures of the report of a finished run."""
        if not self._sinks:
            return
        from jaxclr.report.write import write_report

        try:
            with tempfile.TemporaryDirectory() as scratch:
                page = write_report([folder], Path(scratch) / "report")
                self.images(step, sorted(page.parent.glob("figures/*.png")))
        except Exception as error:
            self._say(f"No pictures are logged: {error}")

    def __enter__(self) -> "Loggers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        for name, sink in list(self._sinks.items()):
            with self._guarded(name):
                sink.close(failed=kind is not None)
        self._sinks.clear()

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Leaves the sink out if anything of it fails, be it the disk, the network or a package."""
        try:
            yield
        except Exception as error:
            sink = self._sinks.pop(name, None)
            told = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
            self._say(f"Nothing is logged to {name} from here on, and the run goes on: {told}")
            if sink is not None:
                with contextlib.suppress(Exception):
                    sink.close(failed=True)


def loggers_of(run: "Run", names: Sequence[str], console: "Console") -> Loggers:
    """The loggers of a run; none in a process that does not lead.

    Args:
        run: Which is not begun.
        names: Of the loggers.
        console: Where it is said what the user should know.
    """
    from jaxclr.experiment import as_code, outcome
    from jaxclr.training.distributed import leads

    if not names or not leads():
        return Loggers()
    experiment = run.experiment
    facts = Facts(
        experiment.name, run.target, run.seed, run.folder, run.collection.classes,
        as_code(experiment), outcome(experiment),
    )  # fmt: skip

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    return Loggers(facts, names, say)


def check_loggers(names: Sequence[str]) -> None:
    """Tells at once what cannot be logged to.

    Raises:
        InputError: One is unknown, or not installed.
    """
    for name in names:
        if name not in PACKAGES:
            raise InputError(f"--log-to: no logger {name!r}. {nearest(name, PACKAGES)}")
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise InputError(
                f"--log-to {name} needs {PACKAGES[name]}: pip install 'jaxclr[{name}]'."
            )


def scalars(values: Mapping[str, Any], classes: Sequence[str]) -> dict[str, float]:
    """The numbers of a line of ``metrics.jsonl``, nested ones by names joined by ``/``.

    Args:
        values: The line; its step, texts, and what is null are left out.
        classes: The names of what is listed by class.
    """
    found: dict[str, float] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, part in value.items():
                walk(f"{name}/{key}", part)
        elif isinstance(value, list | tuple):
            named = classes if len(value) == len(classes) else [str(i) for i in range(len(value))]
            for key, part in zip(named, value, strict=True):
                walk(f"{name}/{key}", part)
        elif isinstance(value, int | float):
            found[name] = float(value)

    for name, value in values.items():
        if name != "step":
            walk(name, value)
    return found
