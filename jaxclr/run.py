"""One run: an experiment on one target with one seed, from its folder to its results."""

import json
import logging
import subprocess
from collections.abc import Callable
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from rich.console import Console

from jaxclr.errors import InputError
from jaxclr.evaluation import Accuracy, CountHits, evaluate, make_count_hits
from jaxclr.experiment import Experiment, as_code, differences, imports
from jaxclr.metrics import Journal, late_pseudo_labels
from jaxclr.pipeline.atomic import replacing
from jaxclr.pipeline.batches import Batches, read_ahead
from jaxclr.pipeline.source import Collection, Domain
from jaxclr.pipeline.split import Split, draw_split, read_split, split_name, write_split
from jaxclr.progress import RunView
from jaxclr.training.checkpoint import Checkpoints
from jaxclr.training.layout import Layout, make_layout
from jaxclr.training.loop import Clock, Plan, Test, train
from jaxclr.training.step import Setting, TrainState, TrainStep, initial_state, make_train_step

logger = logging.getLogger(__name__)
VERSIONED = (
    "jaxclr",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numpy",
    "pillow",
)


class Program(NamedTuple):
    """The two functions of a run, jitted."""

    train_step: TrainStep
    count_hits: CountHits


class Run:
    """What one target and one seed make of an experiment.

    Args:
        experiment: What to do.
        collection: Its images.
        target: The domain held out.
        seed: Fixes the split and the training.
        folder: Where everything is written.
        programs: What has been compiled already; runs that are alike but for their data and
            their seed share it.

    Raises:
        InputError: The folder holds another experiment, or the data do not suffice.
    """

    def __init__(
        self, experiment: Experiment, collection: Collection, target: str, seed: int, folder: Path,
        programs: dict[Any, Program],
    ):  # fmt: skip
        self.experiment, self.collection, self._programs = experiment, collection, programs
        self.target, self.seed, self.folder = target, seed, folder
        self.title = f"{experiment.name} {target} seed {seed}"
        self._refuse_another()

    @property
    def is_finished(self) -> bool:
        """Whether there are results."""
        return (self.folder / "results.json").exists()

    @property
    def held_out(self) -> Domain:
        """The target domain."""
        return next(d for d in self.collection.domains if d.name == self.target)

    @property
    def sources(self) -> tuple[Domain, ...]:
        """All domains but the target."""
        return tuple(d for d in self.collection.domains if d.name != self.target)

    @cached_property
    def split(self) -> Split:
        """Whose label is kept."""
        e, classes = self.experiment, self.collection.classes
        if e.splits is None:
            return draw_split(
                self.sources, classes, labels_per_class=e.labels_per_class, seed=self.seed
            )
        labels = e.labels_per_class * len(classes) * len(self.sources)
        return read_split(Path(e.splits) / split_name(self.target, labels, self.seed), self.sources)

    @cached_property
    def batches(self) -> Batches:
        """The batches of every step."""
        e = self.experiment

        def of_length(steps: int) -> Batches:
            return Batches(
                self.sources, self.split, e.augment, seed=self.seed, steps=steps,
                batch_per_domain=e.batch_per_domain, unlabeled_ratio=e.unlabeled_ratio,
            )  # fmt: skip

        return of_length(e.steps or e.epochs * of_length(1).unlabeled.epoch_steps)

    @cached_property
    def plan(self) -> Plan:
        """When to log, test and stop."""
        e, steps = self.experiment, len(self.batches)
        images = len(self.sources) * e.batch_per_domain * (1 + e.unlabeled_ratio)
        return Plan(steps, e.log_every, e.eval_every or max(steps // 10, 1), images)

    @cached_property
    def layout(self) -> Layout:
        """Where arrays lie."""
        return make_layout(self.experiment.batch_per_domain)

    @cached_property
    def setting(self) -> Setting:
        """What the step is made from."""
        e, num_classes = self.experiment, len(self.collection.classes)
        dtype = jnp.dtype(e.dtype)
        # The protocol's rate moves once an epoch; a run of a given length has none.
        every = 1 if e.steps else self.batches.unlabeled.epoch_steps
        return Setting(
            network=e.model.build(num_classes, seed=self.seed, dtype=dtype),
            method=e.method,
            optimizer=e.optimizer.build(steps=self.plan.steps, steps_per_update=every),
            num_classes=num_classes,
            num_domains=len(self.sources),
            steps=self.plan.steps,
            mean=e.augment.mean,
            std=e.augment.std,
            ema_decay=e.ema_decay,
            dtype=dtype,
        )

    @cached_property
    def program(self) -> Program:
        """The run's functions, taken from an earlier run where they are the same."""
        every = self.batches.unlabeled.epoch_steps
        key = (len(self.sources), self.plan.steps, None if self.experiment.steps else every)
        if key not in self._programs:
            step = jax.jit(
                make_train_step(self.setting),
                donate_argnums=0, out_shardings=self.layout.replicated,
            )  # fmt: skip
            self._programs[key] = Program(step, make_count_hits(self.setting, self.layout))
        return self._programs[key]

    def execute(self, console: Console, on_pace: Callable[[float], None]) -> None:
        """Trains and tests from where the run stands to its end, and writes the results."""
        self._prepare_folder()
        journal, checkpoints = (
            Journal(self.folder / "metrics.jsonl"),
            Checkpoints(self.folder / "checkpoints"),
        )
        try:
            state = initial_state(self.setting)
            found = checkpoints.restore(state)
            state, start, seconds = found or (state, 0, 0.0)
            state = self.layout.put_state(state)
            journal.rewind(start)
            clock = Clock(seconds)
            with RunView(console, self.title, steps=self.plan.steps, start=start) as view:
                train(
                    state, self._batches_from(start),
                    self.program.train_step, self._test(),
                    start=start, plan=self.plan, layout=self.layout, clock=clock,
                    journal=journal, checkpoints=checkpoints, view=view, on_pace=on_pace,
                )  # fmt: skip
        finally:
            checkpoints.close()
        self._write_results(journal, clock)

    def _batches_from(self, start: int) -> Any:
        if start == len(self.batches):
            return iter(())
        e = self.experiment
        return read_ahead(self.batches, start, threads=e.threads, workers=e.workers)

    def _test(self) -> Test:
        def on(state: TrainState, domain: Domain, indices: Any) -> Accuracy:
            params = state.params if self.experiment.ema_decay is None else state.ema
            return evaluate(
                self.program.count_hits, params, state.stats, self.layout, domain, indices,
                self.experiment.augment, num_classes=len(self.collection.classes),
                threads=self.experiment.threads,
            )  # fmt: skip

        def test(state: TrainState) -> tuple[Accuracy, Accuracy]:
            target = on(state, self.held_out, range(len(self.held_out.paths)))
            first, *rest = (
                on(state, domain, indices)
                for domain, indices in zip(self.sources, self.split.labeled, strict=True)
            )
            for accuracy in rest:
                first = first.plus(accuracy)
            return target, first

        return test

    def _refuse_another(self) -> None:
        saved = self.folder / "experiment.txt"
        if saved.exists() and (lines := differences(saved.read_text(), self.experiment)):
            raise InputError(
                f"{self.folder} holds runs of another experiment. It differs in: "
                f"{'; '.join(lines)}. Give another --workdir or --name, or remove the folder."
            )

    def _prepare_folder(self) -> None:
        with replacing(self.folder / "experiment.txt") as file:
            names = "".join(f"# {line}\n" for line in imports(self.experiment))
            file.write(f"{names}{as_code(self.experiment)}\n".encode())
        labels = sum(len(indices) for indices in self.split.labeled)
        path = self.folder / split_name(self.target, labels, self.seed)
        if not path.exists():
            write_split(path, self.split, self.sources)

    def _write_results(self, journal: Journal, clock: Clock) -> None:
        lines = journal.lines()
        tested = next(line for line in reversed(lines) if "accuracy" in line)
        pace = clock.seconds_per_step
        results = {
            "experiment": self.experiment.name,
            "target": self.target,
            "seed": self.seed,
            **{k: tested[k] for k in ("accuracy", "accuracy_per_class", "source_accuracy")},
            **late_pseudo_labels(lines),
            "classes": self.collection.classes,
            "steps": self.plan.steps,
            "seconds": round(clock.seconds, 3),
            "images_per_second": round(self.plan.images_per_step / pace, 2) if pace else None,
            "device": f"{self.layout.num_devices} x {jax.devices()[0].device_kind}",
            "versions": {name: metadata.version(name) for name in VERSIONED},
            "git_commit": git_commit(),
        }
        with replacing(self.folder / "results.json") as file:
            file.write(json.dumps(results, indent=2).encode())


def git_commit() -> str | None:
    """The commit of the checkout this package is in, ``-dirty`` with changes; None elsewhere."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    top = git("rev-parse", "--show-toplevel")
    # An installed copy may lie within somebody else's repository, whose commit says nothing.
    if (
        not top
        or Path(top).resolve() != here.parent.resolve()
        or not (commit := git("rev-parse", "HEAD"))
    ):
        return None
    return f"{commit}-dirty" if git("status", "--porcelain") else commit
