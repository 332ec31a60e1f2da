"""What simple classifiers can read off frozen features: classes, neighbours, domains."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from jaxclr.errors import InputError


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How what was learned is tested."""


@dataclasses.dataclass(frozen=True)
class Classify(Evaluation):
    """By the network's own classifier."""


@dataclasses.dataclass(frozen=True)
class Probe(Evaluation):
    """By a logistic regression on frozen features, as self-supervised networks are tested.

    It learns from the source domains' training images and is tested on the target; the accuracy
    by nearest neighbours is told beside its own.
    """

    labels: Literal["all", "given"] = "all"
    """Whose labels the probe learns from: those of all training images, as is usual, or only
    those that the split keeps."""
    neighbors: int = 5
    """How many vote in the accuracy by neighbours."""

    def __post_init__(self) -> None:
        if self.neighbors < 1:
            raise InputError(f"--evaluation.neighbors is {self.neighbors}; it must be at least 1.")


def linear_probe(
    features: Float[np.ndarray, "m d"], label: Int[np.ndarray, " m"],
    tested: Float[np.ndarray, "t d"],
) -> Int[np.ndarray, " t"]:  # fmt: skip
    """Classes that a logistic regression on standardised features says of ``tested``.

    It is regularised as scikit-learn's is (C = 1) and learned to convergence, so that nothing is
    drawn at random.
    """
    return _probe(features, label).predict(tested)


def probabilities(
    features: Float[np.ndarray, "m d"], label: Int[np.ndarray, " m"],
    tested: Float[np.ndarray, "t d"], *, num_classes: int,
) -> Float[np.ndarray, "t k"]:  # fmt: skip
    """Class probabilities that :func:`linear_probe` has for ``tested``; 0 of classes not taught."""
    model = _probe(features, label)
    found = np.zeros((len(tested), num_classes))
    found[:, model.classes_] = model.predict_proba(tested)
    return found


def _probe(features: Float[np.ndarray, "m d"], label: Int[np.ndarray, " m"]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000, tol=1e-3))
    return model.fit(features, label)


def nearest_neighbors(
    features: Float[np.ndarray, "m d"], label: Int[np.ndarray, " m"],
    tested: Float[np.ndarray, "t d"], *, neighbors: int,
) -> Int[np.ndarray, " t"]:  # fmt: skip
    """Classes that the nearest of ``features`` by cosine vote for; ties go to the lower class."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(min(neighbors, len(features)), metric="cosine")
    return model.fit(features, label).predict(tested)


def domain_probe(features: Sequence[Float[np.ndarray, "m d"]]) -> float:
    """How well the domain of an image can be read off its features linearly, in %.

    Of every domain, images at even places teach the probe and those at odd places test it; chance
    is 100 over the number of domains where all have equally many.
    """
    taught, tested = (np.concatenate([of_one[start::2] for of_one in features]) for start in (0, 1))
    learned, right = (
        np.concatenate([np.full(len(of_one[start::2]), i) for i, of_one in enumerate(features)])
        for start in (0, 1)
    )
    return 100 * float(np.mean(linear_probe(taught, learned, tested) == right))
