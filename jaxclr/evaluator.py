"""How good a state is on the target and on the sources, as the experiment has it tested."""

import functools
from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Float, Int, PyTree

from jaxclr.evaluation import (
    Accuracy,
    CountHits,
    Embed,
    Indices,
    evaluate,
    features_of,
)
from jaxclr.experiment import Experiment
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import Split, left_out, pooled
from jaxclr.probe import Probe, domain_probe, linear_probe, nearest_neighbors
from jaxclr.training.layout import Layout
from jaxclr.training.state import TrainState


class Scores(NamedTuple):
    """The accuracies of one state."""

    target: Accuracy
    source: Accuracy
    """On the labeled images of the sources."""
    held_back: Accuracy | None
    """On images of the sources that training does not see; None where there are none."""
    more: Mapping[str, float]
    """Other figures of the target, in %, by the name that they are told under."""


@runtime_checkable
class Evaluate(Protocol):
    """From a state to its accuracies."""

    def __call__(self, state: TrainState) -> Scores:
        """Tests the state."""
        ...


class Evaluator:
    """Tests the states of one run.

    Args:
        experiment: Says how.
        sources: The source domains.
        target: The domain held out; its images without a label are not tested.
        split: Whose label is kept.
        num_classes: ``k``.
        layout: Where arrays lie.
        count_hits: Jitted.
        embed: Jitted.
    """

    def __init__(
        self, experiment: Experiment, sources: tuple[Domain, ...], target: Domain, split: Split,
        num_classes: int, layout: Layout, count_hits: CountHits, embed: Embed,
    ):  # fmt: skip
        self._experiment, self._sources, self._target = experiment, sources, target
        self._split, self._num_classes, self._layout = split, num_classes, layout
        self._left_out = left_out(split, sources)
        self._known = np.flatnonzero(target.label >= 0)
        self._count_hits, self._embed = count_hits, embed

    def __call__(self, state: TrainState) -> Scores:
        """The accuracies by the experiment's way of testing."""
        how = self._experiment.evaluation
        return self._probe(state, how) if isinstance(how, Probe) else self._classify(state)

    def domain_probe(self, state: TrainState) -> float | None:
        """How well the domain can be read off the features, in %; None where it is not asked."""
        most = self._experiment.domain_probe
        if not most:
            return None
        domains = (*self._sources, self._target)
        count = min(most, *(len(domain.paths) for domain in domains))
        # The same images whatever the target: chosen by the domain's own size alone.
        chosen = [
            np.random.Generator(np.random.Philox(len(domain.paths))).permutation(len(domain.paths))[
                :count
            ]
            for domain in domains
        ]
        return domain_probe(
            [self._features(state, *pair) for pair in zip(domains, chosen, strict=True)]
        )

    def tested_params(self, state: TrainState) -> PyTree:
        """The weights that are tested, whole on every device."""
        e, gather = self._experiment, self._layout.gather
        if e.ema_decay is None or e.tested == "last":
            return gather(state.params)
        if e.tested == "average":
            return gather(state.ema)
        means = jax.tree.map(lambda last, average: (last + average) / 2, state.params, state.ema)
        return gather(means)

    def _classify(self, state: TrainState) -> Scores:
        params = self.tested_params(state)

        def on(domain: Domain, indices: Indices) -> Accuracy:
            return evaluate(
                self._count_hits, params, state.stats, self._layout, domain, indices,
                self._experiment.augment, num_classes=self._num_classes,
                threads=self._experiment.threads,
            )  # fmt: skip

        def over(indices: tuple[np.ndarray, ...]) -> Accuracy:
            pairs = zip(self._sources, indices, strict=True)
            found = [on(domain, chosen) for domain, chosen in pairs if len(chosen)]
            return functools.reduce(Accuracy.plus, found)

        aside = over(self._left_out) if any(map(len, self._left_out)) else None
        return Scores(on(self._target, self._known), over(self._split.labeled), aside, {})

    def _probe(self, state: TrainState, how: Probe) -> Scores:
        taught, label = self._gathered(state, self._taught(how))
        labeled, given = self._gathered(state, self._split.labeled)
        truth = self._target.label[self._known]
        aside, hidden = taught[:0], label[:0]
        if any(map(len, self._left_out)):
            aside, hidden = self._gathered(state, self._left_out)
        tested = self._features(state, self._target, self._known)
        guess = linear_probe(taught, label, np.concatenate([tested, labeled, aside]))
        of_target, of_source, of_aside = np.split(guess, [len(truth), len(truth) + len(given)])
        near = nearest_neighbors(taught, label, tested, neighbors=how.neighbors)
        right = 100 * float(np.mean(near == truth))
        return Scores(
            self._accuracy(of_target, truth),
            self._accuracy(of_source, given),
            self._accuracy(of_aside, hidden) if len(hidden) else None,
            {"neighbors_accuracy": right},
        )

    def _taught(self, how: Probe) -> tuple[np.ndarray, ...]:
        """Whose labels the probe learns from."""
        if how.labels == "given":
            return self._split.labeled
        pairs = zip(self._sources, pooled(self._split).unlabeled, strict=True)
        return tuple(indices[domain.label[indices] >= 0] for domain, indices in pairs)

    def _gathered(
        self, state: TrainState, indices: tuple[np.ndarray, ...]
    ) -> tuple[Float[np.ndarray, "m d"], Int[np.ndarray, " m"]]:
        """Features and labels of some images of every source."""
        pairs = [pair for pair in zip(self._sources, indices, strict=True) if len(pair[1])]
        features = [self._features(state, domain, chosen) for domain, chosen in pairs]
        labels = [domain.label[chosen] for domain, chosen in pairs]
        return np.concatenate(features), np.concatenate(labels)

    def _features(
        self, state: TrainState, domain: Domain, indices: Indices
    ) -> Float[np.ndarray, "m d"]:
        return features_of(
            self._embed, self.tested_params(state), state.stats, self._layout, domain, indices,
            self._experiment.augment, threads=self._experiment.threads,
        )  # fmt: skip

    def _accuracy(self, guess: Int[np.ndarray, " m"], label: Int[np.ndarray, " m"]) -> Accuracy:
        count = self._num_classes
        hits = np.bincount(label[guess == label], minlength=count)
        return Accuracy(hits, np.bincount(label, minlength=count))
