"""One run: an experiment on one target with one seed, from its folder to its results."""

import contextlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from jaxtyping import PyTree
from rich.console import Console

from jaxclr.agreement import refuse_disagreement, refuse_separate_folders
from jaxclr.errors import InputError
from jaxclr.evaluator import Evaluator
from jaxclr.experiment import Experiment, as_code, differences, imports
from jaxclr.loggers import Loggers
from jaxclr.metrics import Journal, Window
from jaxclr.models.network import PureNetwork
from jaxclr.models.pretrained import Origin
from jaxclr.models.store import write_own
from jaxclr.pipeline.atomic import replacing
from jaxclr.pipeline.batches import Batches, read_ahead
from jaxclr.pipeline.source import Collection, Domain
from jaxclr.pipeline.split import Split, count_labels, draw_split, labels_of_classes, pooled
from jaxclr.pipeline.split_files import read_split, split_name, write_split
from jaxclr.program import Program, make_program, refuse_chunks
from jaxclr.progress import RunView
from jaxclr.records import RESULTS, TESTED, write_tested
from jaxclr.results import write_results
from jaxclr.start import first_network
from jaxclr.survey import Renewal
from jaxclr.training.checkpoint import Checkpoints, Restored
from jaxclr.training.distributed import leads
from jaxclr.training.layout import Layout, make_layout
from jaxclr.training.loop import Clock, Plan, train
from jaxclr.training.preemption import Stop
from jaxclr.training.state import Frozen, Setting, TrainState, initial_state
from jaxclr.training.step import Metrics
from jaxclr.types import Batch


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
        if not (self.held_out.label >= 0).any():
            raise InputError(
                f"No image of {target!r} has a label, so nothing can be tested on it. Hold out "
                "domains with labels only: --targets."
            )
        refuse_chunks(experiment, len(self.sources))
        self._refuse_another()

    @property
    def is_finished(self) -> bool:
        """Whether there are results."""
        return (self.folder / RESULTS).exists()

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
                self.sources, classes, labels_per_class=e.labels_per_class, seed=self.seed,
                imbalance=e.label_imbalance, missing=e.missing_classes, held_back=e.held_back,
            )  # fmt: skip
        wanted = labels_of_classes(len(classes), e.labels_per_class, e.label_imbalance)
        labels = count_labels(self.sources, wanted, missing=e.missing_classes)
        return read_split(Path(e.splits) / split_name(self.target, labels, self.seed), self.sources)

    @cached_property
    def batches(self) -> Batches:
        """The batches of every step."""
        e = self.experiment

        split = pooled(self.split) if e.labeled_in_pool else self.split

        def of_length(steps: int) -> Batches:
            return Batches(
                self.sources, split, e.augment, seed=self.seed, steps=steps,
                batch_per_domain=e.batch_per_domain, unlabeled_ratio=e.unlabeled_ratio,
                second="second" in e.method.reads, crops="crops" in e.method.reads,
                rows=self.layout.rows(e.batch_per_domain),
            )  # fmt: skip

        return of_length(e.steps or e.epochs * of_length(1).unlabeled.epoch_steps)

    @cached_property
    def plan(self) -> Plan:
        """When to log, test and stop."""
        e, steps = self.experiment, len(self.batches)
        images = len(self.sources) * e.batch_per_domain * (1 + e.unlabeled_ratio)
        often = e.eval_every or max(steps // 10, 1)
        return Plan(steps, e.log_every, often, images, self.batches.unlabeled.epoch_steps)

    @cached_property
    def layout(self) -> Layout:
        """Where arrays lie."""
        e = self.experiment
        return make_layout(e.batch_per_domain, sharding=e.sharding)

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
            num_unlabeled=self.batches.unlabeled.size,
            ema_decay=e.ema_decay,
            dtype=dtype,
            gradient_norms=e.gradient_norms,
            prior=self._prior and self._prior[0],
            augment=e.augment if e.augment.where == "device" else None,
            chunks=e.chunks,
            whole=self.layout.replicated if e.sharding == "full" else None,
        )

    @cached_property
    def _prior(self) -> tuple[PureNetwork, tuple[PyTree, PyTree]] | None:
        return self.experiment.prior.load(target=self.target, seed=self.seed)

    @cached_property
    def _frozen(self) -> Frozen:
        prior = () if self._prior is None else self._prior[1]
        frozen = Frozen(prior, self.experiment.method.style.load())
        return self.layout.put_state(frozen)

    @cached_property
    def first(self) -> tuple[PureNetwork, Origin | None]:
        """The network that training starts from, and where its weights came from."""
        return first_network(
            self.experiment, self.setting.network, self.sources, self.split, self.layout,
            target=self.target, seed=self.seed, num_classes=self.setting.num_classes,
        )  # fmt: skip

    @cached_property
    def program(self) -> Program:
        """The run's functions, taken from an earlier run where they are the same."""
        every = self.batches.unlabeled.epoch_steps
        key = (len(self.sources), self.plan.steps, None if self.experiment.steps else every)
        if key not in self._programs:
            self._programs[key] = make_program(self.experiment, self.setting, self.layout)
        return self._programs[key]

    def execute(
        self, console: Console, on_pace: Callable[[float], None], stop: Stop | None = None,
        loggers: Loggers | None = None,
    ) -> None:  # fmt: skip
        """Trains and tests from where the run stands to its end, and writes the results.

        Args:
            console: Where it is told how far the run is.
            on_pace: Told the seconds of a step, now and then.
            stop: Whether the program is asked to end.
            loggers: What else is told of it; not begun.

        Raises:
            Stopped: It was. The run is saved, and goes on when it is executed again.
        """
        stop, loggers = stop or Stop(), loggers or Loggers()
        refuse_disagreement(
            self.experiment, self.collection, self.split, target=self.target, seed=self.seed
        )
        refuse_separate_folders(self.folder)
        with loggers:
            journal = Journal(self.folder / "metrics.jsonl", writes=leads(), loggers=loggers)
            state, clock, evaluator = self._trained(journal, console, on_pace, stop)
            params, tested = evaluator.tested_params(state), evaluator.tested(state)
            if not leads():
                return
            write_own(self.folder / "weights.npz", params, state.stats)
            write_tested(self.folder / TESTED, tested)
            write_results(
                self.folder / RESULTS, journal.lines(),
                experiment=self.experiment.name, dataset=self.experiment.dataset.name,
                target=self.target, seed=self.seed, classes=self.collection.classes,
                domains=(*(domain.name for domain in self.sources), self.target),
                plan=self.plan, clock=clock, layout=self.layout, tested=tested,
            )  # fmt: skip
            loggers.report(self.plan.steps, self.folder)

    def _trained(
        self, journal: Journal, console: Console, on_pace: Callable[[float], None], stop: Stop
    ) -> tuple[TrainState, Clock, Evaluator]:
        checkpoints = Checkpoints(self.folder / "checkpoints")
        with contextlib.closing(checkpoints):
            state, start, seconds, sums = self._begun(checkpoints, journal, console)
            self._prepare_folder()
            clock, evaluator = Clock(seconds), self._evaluator()
            view = RunView(console, self.title, steps=self.plan.steps, start=start)
            with stop.listening(), view:
                state = train(
                    self.layout.put_state(state), self._batches_from(start), self._step, evaluator,
                    renew=self._renewal(), start=start, window=self._window(sums), plan=self.plan,
                    layout=self.layout, clock=clock, journal=journal, checkpoints=checkpoints,
                    view=view, on_pace=on_pace, stop=stop,
                )  # fmt: skip
        return state, clock, evaluator

    def _begun(self, checkpoints: Checkpoints, journal: Journal, console: Console) -> Restored:
        """The latest checkpoint, or what training starts from: weights of a file are read once."""
        found = checkpoints.restore(self.layout.spread(initial_state(self.setting, self.seed)))
        journal.rewind(found.step if found else -1)
        if found:
            return found
        network, origin = self.first
        if origin is not None:
            told = f"{self.title} starts from {origin.file} (SHA-256 {origin.sha256}). "
            console.print(told + origin.loaded, highlight=False, soft_wrap=True)
            journal.write(0, {"weights": origin._asdict()})
        setting = self.setting._replace(network=network)
        return Restored(initial_state(setting, self.seed), 0, 0.0)

    def _step(self, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        return self.program.train_step(state, batch, self._frozen)

    def _evaluator(self) -> Evaluator:
        return Evaluator(
            self.experiment, self.sources, self.held_out, self.split,
            len(self.collection.classes), self.layout, self.program.predict,
        )  # fmt: skip

    def _window(self, sums: Mapping[str, Any]) -> Window:
        return Window(sums, domains=[d.name for d in self.sources], classes=self.collection.classes)

    def _renewal(self) -> Renewal | None:
        e = self.experiment
        if not e.method.bank.renews:
            return None
        return Renewal(
            self.setting, self.sources, self.split.labeled, e.augment, e.batch_per_domain,
            self.layout,
        )  # fmt: skip

    def _batches_from(self, start: int) -> Any:
        if start == len(self.batches):
            return iter(())
        e = self.experiment
        return read_ahead(self.batches, start, threads=e.threads, workers=e.workers)

    def _refuse_another(self) -> None:
        saved = self.folder / "experiment.txt"
        if saved.exists() and (lines := differences(saved.read_text(), self.experiment)):
            raise InputError(
                f"{self.folder} holds runs of another experiment. It differs in: "
                f"{'; '.join(lines)}. Give another --workdir or --name, or remove the folder."
            )

    def _prepare_folder(self) -> None:
        if not leads():
            return
        with replacing(self.folder / "experiment.txt") as file:
            names = "".join(f"# {line}\n" for line in imports(self.experiment))
            file.write(f"{names}{as_code(self.experiment)}\n".encode())
        labels = sum(len(indices) for indices in self.split.labeled)
        path = self.folder / split_name(self.target, labels, self.seed)
        if not path.exists():
            write_split(path, self.split, self.sources)
