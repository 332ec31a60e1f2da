"""What one number says of predictions and of features: calibration, classes, geometry.

It needs numpy and jaxtyping alone, and all of it is reckoned in float64.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

BINS = 15
"""Into how many the range of confidences is cut, as Guo et al. have it."""
ROWS = 512
"""How many images meet all others at once, so that no square of all of them is held."""


class Bins(NamedTuple):
    """Images by their confidence; bin ``i`` holds those in ``(i / b, (i + 1) / b]``."""

    images: Int[np.ndarray, " b"]
    """How many are in each bin."""
    confidence: Float[np.ndarray, " b"]
    """Their mean confidence, in [0, 1]; 0 of an empty bin."""
    accuracy: Float[np.ndarray, " b"]
    """The share of them that is guessed right, in [0, 1]; 0 of an empty bin."""


class ClassScores(NamedTuple):
    """Scores in which each class counts alike, however many images it has; in %."""

    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float


class Similarities(NamedTuple):
    """Mean cosines between features, in [-1, 1]; None where there is no such pair."""

    within: float | None
    """Of two images of one class in one domain."""
    across: float | None
    """Of two images of one class in two domains."""
    between: float | None
    """Of two images of two classes, whatever their domains."""


def calibration_bins(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], *, bins: int = BINS
) -> Bins:
    """Sorts predictions into bins of equal width by how sure they are.

    Args:
        confidence: Probability of each guess, in [0, 1]; one of 0 falls into the first bin.
        right: Whether the guess is the true class.
        bins: How many there are.

    Returns:
        How many, their mean confidence and accuracy, of each bin.

    References:
        Guo et al., `On Calibration of Modern Neural Networks
        <https://arxiv.org/abs/1706.04599>`_, 2017, section 2.
    """
    sure = confidence.astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    some = np.maximum(count, 1)
    return Bins(
        images=count,
        confidence=np.bincount(place, weights=sure, minlength=bins) / some,
        accuracy=np.bincount(place, weights=right.astype(np.float64), minlength=bins) / some,
    )


def expected_calibration_error(bins: Bins) -> float:
    r"""How far confidence and accuracy lie apart, in %.

    .. math::
        100 \sum_i \frac{n_i}{n} \, \lvert \mathrm{accuracy}_i - \mathrm{confidence}_i \rvert

    Args:
        bins: Of :func:`calibration_bins`.

    Returns:
        In [0, 100]; 0 of no images.

    References:
        Guo et al., `On Calibration of Modern Neural Networks
        <https://arxiv.org/abs/1706.04599>`_, 2017, eq. 3.
    """
    total = max(int(bins.images.sum()), 1)
    return float(100 * (bins.images * np.abs(bins.accuracy - bins.confidence)).sum() / total)


def negative_log_likelihood(truth: Float[np.ndarray, " n"]) -> float:
    r"""What the true classes cost, :math:`-\mathrm{mean}_i \log p_i(y_i)`, in nats.

    Args:
        truth: Probability of the true class, in [0, 1]. Below the least normal float32, about
            1e-38, it counts as that, so that no image costs more than 87.3 nats.

    Returns:
        At least 0; 0 of no images.

    References:
        Guo et al., `On Calibration of Modern Neural Networks
        <https://arxiv.org/abs/1706.04599>`_, 2017, eq. 6.
    """
    least = float(np.finfo(np.float32).tiny)
    cost = -np.log(np.clip(truth.astype(np.float64), least, 1.0))
    return float(cost.sum() / max(len(cost), 1))


def confusion(
    label: Int[np.ndarray, " n"], guess: Int[np.ndarray, " n"], num_classes: int
) -> Int[np.ndarray, "k k"]:
    """Counts images by their true class (the row) and their guessed class (the column).

    Args:
        label: True class, in ``[0, num_classes)``.
        guess: Guessed class, in ``[0, num_classes)``.
        num_classes: ``k``.
    """
    place = label.astype(np.int64) * num_classes + guess
    return np.bincount(place, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_scores(confusion: Int[np.ndarray, "k k"]) -> ClassScores:
    r"""Accuracy, precision, recall and F1 averaged over the classes, in %.

    Of class :math:`j` with :math:`h_j` hits, :math:`n_j` images and :math:`g_j` guesses,

    .. math::
        \text{precision}_j = \frac{h_j}{g_j}, \qquad \text{recall}_j = \frac{h_j}{n_j}, \qquad
        F_j = \frac{2 h_j}{n_j + g_j}, \qquad \text{where } \tfrac{0}{0} = 0.

    The macro scores average over the classes that have images or guesses, so that guesses of a
    class without images lower all three; balanced accuracy is the mean recall of the classes that
    have images. That is what scikit-learn does, and USB by it. A class with neither counts nowhere.

    Args:
        confusion: Of :func:`confusion`.

    Returns:
        Each in [0, 100]; 0 of no images.

    References:
        Brodersen et al., `The balanced accuracy and its posterior distribution
        <https://doi.org/10.1109/ICPR.2010.764>`_, 2010; Wang et al., `USB
        <https://arxiv.org/abs/2208.07204>`_, 2022, whose code logs all four.
    """
    hits = np.diag(confusion)
    images, guesses = confusion.sum(1), confusion.sum(0)
    precision, recall = hits / np.maximum(guesses, 1), hits / np.maximum(images, 1)
    f1 = 2 * hits / np.maximum(images + guesses, 1)
    seen = images + guesses > 0
    return ClassScores(
        balanced_accuracy=_mean(recall, images > 0),
        macro_precision=_mean(precision, seen),
        macro_recall=_mean(recall, seen),
        macro_f1=_mean(f1, seen),
    )


def similarities(
    features: Float[np.ndarray, "m d"],
    label: Int[np.ndarray, " m"],
    domain: Int[np.ndarray, " m"],
) -> Similarities:
    r"""How alike features are within and across domains, and between classes.

    The mean of :math:`\cos(z_a, z_b)` over all pairs of two images :math:`a \ne b` of a kind,

    .. math::
        \text{within: } y_a = y_b,\, d_a = d_b, \qquad \text{across: } y_a = y_b,\, d_a \ne d_b,
        \qquad \text{between: } y_a \ne y_b.

    Each pair counts alike, so that larger classes weigh more. A zero row is at cosine 0 from all.

    Args:
        features: Vectors of any length.
        label: Class of each; those of a negative one are left out.
        domain: Domain of each.

    Returns:
        The three means. That the choice of pairs is worth three numbers is ours.
    """
    known = label >= 0
    z = _unit(features[known])
    kinds = np.stack([label[known], domain[known]], axis=1)
    every = np.zeros(len(z), np.int64)
    classes = np.unique(kinds[:, 0], return_inverse=True)[1].reshape(-1)
    groups = np.unique(kinds, axis=0, return_inverse=True)[1].reshape(-1)
    # Sums of cosines over all ordered pairs of one group, each image with itself among them.
    (all_sum, all_pairs), (class_sum, class_pairs), (group_sum, group_pairs) = (
        _pairs(z, group) for group in (every, classes, groups)
    )
    return Similarities(
        within=_ratio(group_sum - float((z**2).sum()), group_pairs - len(z)),
        across=_ratio(class_sum - group_sum, class_pairs - group_pairs),
        between=_ratio(all_sum - class_sum, all_pairs - class_pairs),
    )


def uniformity(features: Float[np.ndarray, "m d"]) -> float | None:
    r"""How evenly features cover the sphere; the lower, the more evenly.

    .. math::
        \log \mathrm{mean}_{a \ne b} \, e^{-2 \lVert z_a - z_b \rVert^2}, \qquad
        z = x / \lVert x \rVert

    Args:
        features: Vectors of any length; the zero vector stays where it is.

    Returns:
        In [-8, 0]: 0 where all are one point; None of fewer than two.

    References:
        Wang and Isola, `Understanding Contrastive Representation Learning through Alignment and
        Uniformity on the Hypersphere <https://arxiv.org/abs/2005.10242>`_, 2020, eq. 7 (t = 2).
    """
    z = _unit(features)
    count = len(z)
    if count < 2:
        return None
    squared = (z**2).sum(1)
    total = 0.0
    for start in range(0, count, ROWS):
        some = slice(start, start + ROWS)
        distance = squared[some, None] + squared - 2 * z[some] @ z.T
        total += float(np.exp(-2 * np.maximum(distance, 0.0)).sum())
    # Every image is at distance 0 from itself, which is no pair.
    return float(np.log((total - count) / (count * (count - 1))))


def _mean(values: Float[np.ndarray, " k"], counted: Bool[np.ndarray, " k"]) -> float:
    """In %; 0 of nothing."""
    return 100 * float(values[counted].sum()) / max(int(counted.sum()), 1)


def _unit(features: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
    wide = features.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(length > 0, length, 1.0)


def _pairs(z: Float[np.ndarray, "m d"], group: Int[np.ndarray, " m"]) -> tuple[float, int]:
    """The sum of the inner products over all ordered pairs of one group, and how many they are.

    Inner products are linear in either vector: that sum is a group's own sum, squared.
    """
    count = np.bincount(group)
    total = np.zeros((len(count), z.shape[1]))
    np.add.at(total, group, z)
    return float((total**2).sum()), int((count**2).sum())


def _ratio(total: float, pairs: int) -> float | None:
    return total / pairs if pairs else None
