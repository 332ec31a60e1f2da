"""How good a state is on the target and on the sources, as the experiment has it tested."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Float, Int, PyTree
from PIL import Image

from jaxclr.evaluation import Accuracy, Indices, Predict, Seen, over_images
from jaxclr.experiment import Experiment
from jaxclr.pipeline.source import Domain
from jaxclr.pipeline.split import Split, left_out, pooled
from jaxclr.probe import Probe, domain_probe, linear_probe, nearest_neighbors, probabilities
from jaxclr.records import Features, Mistakes, Predictions, Tested
from jaxclr.training.layout import Layout
from jaxclr.training.state import TrainState

MISTAKES = 24
"""Most of the surest mistakes that are kept."""
MISTAKE_SIZE = 128
"""Largest side of their pictures, in pixels."""


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
        predict: By :func:`~jaxclr.evaluation.make_predict`.
    """

    def __init__(
        self, experiment: Experiment, sources: tuple[Domain, ...], target: Domain, split: Split,
        num_classes: int, layout: Layout, predict: Predict,
    ):  # fmt: skip
        self._experiment, self._sources, self._target = experiment, sources, target
        self._split, self._num_classes, self._layout = split, num_classes, layout
        self._left_out = left_out(split, sources)
        self._known = np.flatnonzero(target.label >= 0)
        self._predict = predict

    def __call__(self, state: TrainState) -> Scores:
        """The accuracies by the experiment's way of testing."""
        how = self._experiment.evaluation
        return self._probe(state, how) if isinstance(how, Probe) else self._classify(state)

    def tested(self, state: TrainState) -> Tested:
        """What is kept of a state for reports."""
        predictions = self._predictions(state)
        return Tested(predictions, self._sample(state), self._mistakes(predictions))

    def _predictions(self, state: TrainState) -> Predictions:
        how, label = self._experiment.evaluation, self._target.label[self._known]
        if isinstance(how, Probe):
            taught = self._gathered(state, self._taught(how))
            tested = self._features(state, self._target, self._known)
            shares = probabilities(*taught, tested, num_classes=self._num_classes)
        else:
            logits = self._seen(state, lambda seen: seen.logits, self._target, self._known)
            # In double precision, logits that differ are not made equal.
            powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
            shares = powers / powers.sum(-1, keepdims=True)
        guess, each = shares.argmax(-1), np.arange(len(label))
        return Predictions(
            tuple(self._target.paths[i] for i in self._known), label, guess.astype(np.int32),
            shares[each, guess], shares[each, label],
        )  # fmt: skip

    def _sample(self, state: TrainState) -> Features | None:
        """Features of some images of every domain, the same whatever the target."""
        most = self._experiment.domain_probe
        if not most:
            return None
        domains = (*self._sources, self._target)
        count = min(most, *(len(domain.paths) for domain in domains))
        features, label = [], []
        for domain in domains:
            # By the domain's own size alone.
            draw = np.random.Generator(np.random.Philox(len(domain.paths)))
            chosen = draw.permutation(len(domain.paths))[:count]
            features.append(self._features(state, domain, chosen))
            label.append(domain.label[chosen])
        place = np.repeat(np.arange(len(domains), dtype=np.int32), count)
        return Features(np.concatenate(features), place, np.concatenate(label))

    def _mistakes(self, found: Predictions) -> Mistakes:
        wrong = np.flatnonzero(found.guess != found.label)
        surest = wrong[np.argsort(-found.confidence[wrong], kind="stable")][:MISTAKES]
        size = min(self._experiment.augment.size, MISTAKE_SIZE)
        images = np.zeros((len(surest), size, size, 3), np.uint8)
        for place, i in enumerate(surest):
            shown = self._experiment.augment.evaluation(self._target.images[int(self._known[i])])
            images[place] = np.asarray(Image.fromarray(shown).resize((size, size)))
        path = tuple(found.path[i] for i in surest)
        return Mistakes(
            images, path, found.label[surest], found.guess[surest], found.confidence[surest]
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
        def on(domain: Domain, indices: Indices) -> Accuracy:
            guess = self._seen(state, lambda seen: seen.logits.argmax(-1), domain, indices)
            return self._accuracy(guess, domain.label[indices])

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
        return self._seen(state, lambda seen: seen.features, domain, indices)

    def _seen(
        self, state: TrainState, pick: Callable[[Seen], Any], domain: Domain, indices: Indices
    ) -> np.ndarray:
        return over_images(
            self._predict, pick, self.tested_params(state), state.stats, self._layout, domain,
            indices, self._experiment.augment, threads=self._experiment.threads,
        )  # fmt: skip

    def _accuracy(self, guess: Int[np.ndarray, " m"], label: Int[np.ndarray, " m"]) -> Accuracy:
        return Accuracy.of(guess, label, self._num_classes)


def domains_probed(sample: Features | None) -> float | None:
    """How well the domain can be read off a sample's features, in %; None without a sample."""
    if sample is None:
        return None
    count = len(np.unique(sample.domain))
    return domain_probe([sample.features[sample.domain == i] for i in range(count)])
