"""The split of the source domains: which images keep their label, drawn by seed."""

import hashlib
import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from jaxclr.errors import InputError
from jaxclr.pipeline.listing import without_suffix
from jaxclr.pipeline.source import Domain

Missing = Literal["refuse", "allow"]
"""Whether a source domain may lack images of a class that are to keep their label."""


class Split(NamedTuple):
    """Which images of each source domain keep their label, as indices into that Domain.

    Attributes:
        labeled: One ascending array of indices per source domain, in their order.
        unlabeled: The same of those that lose their label.
    """

    labeled: tuple[Int[np.ndarray, " l"], ...]
    unlabeled: tuple[Int[np.ndarray, " u"], ...]


def labels_of_classes(
    num_classes: int, labels_per_class: int, imbalance: float = 1.0
) -> tuple[int, ...]:
    r"""How many images of each class keep their label in a domain, in the order of the classes.

    .. math:: n_k = \max\big(1, \lfloor n_0 \, \gamma^{-k / (K - 1)} \rfloor\big)

    The first class keeps the most, the last :math:`\gamma` times fewer. The order is that of the
    classes, the same in every domain and for every seed, as with the long-tailed sets of CIFAR.

    Args:
        num_classes: ``K``, at least 1.
        labels_per_class: :math:`n_0`, at least 1.
        imbalance: :math:`\gamma`, at least 1; with 1 all classes keep as many.

    References:
        Cui, Jia, Lin, Song, Belongie, `Class-Balanced Loss Based on Effective Number of Samples
        <https://arxiv.org/abs/1901.05555>`_, CVPR 2019, whose training sets decay so. That at
        least one label is kept is ours.
    """
    decay = imbalance ** (-np.arange(num_classes) / max(num_classes - 1, 1))
    # A power that should be whole may come out a rounding error below.
    counts = np.floor(labels_per_class * decay * (1 + 1e-9))
    return tuple(max(1, int(count)) for count in counts)


def count_labels(
    sources: Sequence[Domain], wanted: Sequence[int], *, missing: Missing = "refuse"
) -> int:
    """How many images of all sources keep their label.

    Args:
        sources: The source domains.
        wanted: Of each class in each domain, as :func:`labels_of_classes` has it.
        missing: With "allow", a domain keeps at most the images that it has.
    """
    if missing == "refuse":
        return len(sources) * sum(wanted)
    pairs = itertools.product(sources, enumerate(wanted))
    return sum(min(most, len(_found(domain, label))) for domain, (label, most) in pairs)


def draw_split(
    sources: Sequence[Domain], classes: Sequence[str], *, labels_per_class: int, seed: int,
    imbalance: float = 1.0, missing: Missing = "refuse", held_back: float = 0.0,
) -> Split:  # fmt: skip
    """Draws ``labels_per_class`` training images of every class in every source domain.

    What is drawn depends on the seed, on the names of the domain and the class, and on the names
    of the images in it: not on the other sources, nor on extensions.

    Args:
        sources: The source domains.
        classes: Names of the classes, in the order of their labels.
        labels_per_class: How many images keep their label, at least 1.
        seed: At least 0.
        imbalance: How many times fewer the last class keeps, at least 1; those between decay as
            :func:`labels_of_classes` says. What is kept is among what is with less imbalance.
        missing: What to do about a class of which a domain has too few training images, or none:
            refuse, or keep the labels of all that there are.
        held_back: Share of each class's training images, in [0, 1), that is left out of both
            lists, rounded down. Which images keep their label does not depend on it.

    Raises:
        InputError: A class has no, or too few, training images in some domain; or, if that is
            allowed, in all of them.
    """
    if labels_per_class < 1 or not 0 <= seed < 2**64 or not imbalance >= 1:
        raise InputError(
            "A split needs labels_per_class >= 1, seed >= 0 and imbalance >= 1; "
            f"{labels_per_class}, {seed} and {imbalance} were given."
        )
    if not 0 <= held_back < 1:
        raise InputError(f"A split holds back a share in [0, 1); {held_back} was given.")
    wanted = labels_of_classes(len(classes), labels_per_class, imbalance)
    if missing == "refuse":
        _check(sources, classes, wanted)
    labeled, unlabeled = [], []
    for domain in sources:
        drawn = [_shuffled(domain, label, name, seed) for label, name in enumerate(classes)]
        pairs = list(zip(drawn, wanted, strict=True))
        chosen = np.sort(np.concatenate([order[:most] for order, most in pairs]))
        # From the other end of the shuffle, so that the labeled images stay the same.
        ends = [max(most, len(order) - int(held_back * len(order))) for order, most in pairs]
        aside = [order[end:] for order, end in zip(drawn, ends, strict=True)]
        labeled.append(chosen)
        rest = np.flatnonzero(domain.train)
        unlabeled.append(np.setdiff1d(rest, np.concatenate([chosen, *aside])))
    shown = {
        int(label)
        for domain, chosen in zip(sources, labeled, strict=True)
        for label in domain.label[chosen]
    }
    if absent := [name for label, name in enumerate(classes) if label not in shown]:
        raise InputError(
            f"No source domain ({', '.join(domain.name for domain in sources)}) has a training "
            f"image of class {absent[0]!r}, so that nothing could be learned of it. Leave out the "
            "class, or hold out other --targets."
        )
    return Split(tuple(labeled), tuple(unlabeled))


def pooled(split: Split) -> Split:
    """The same split with the labeled images among the unlabeled ones, too."""
    both = zip(split.labeled, split.unlabeled, strict=True)
    return Split(split.labeled, tuple(np.union1d(*pair) for pair in both))


def left_out(split: Split, sources: Sequence[Domain]) -> tuple[Int[np.ndarray, " h"], ...]:
    """The images with a label that training does not see: what settings may be chosen by.

    They are those that :func:`draw_split` held back, those that the data set's own lists keep
    from training, and those that a split file does not name.

    Returns:
        One ascending array of indices per source domain, in their order.
    """
    return tuple(
        np.setdiff1d(np.flatnonzero(domain.label >= 0), np.union1d(labeled, unlabeled))
        for domain, labeled, unlabeled in zip(sources, *split, strict=True)
    )


def _found(domain: Domain, label: int) -> Int[np.ndarray, " b"]:
    """The training images of one class of one domain."""
    return np.flatnonzero(domain.train & (domain.label == label))


def _check(sources: Sequence[Domain], classes: Sequence[str], wanted: Sequence[int]) -> None:
    """Refuses classes of which a domain has no, or too few, training images."""
    allow = "or let each domain keep what it has: --missing-classes allow."
    for domain, (label, name) in itertools.product(sources, enumerate(classes)):
        found = len(_found(domain, label))
        if not found:
            raise InputError(
                f"{domain.name!r} has no training image of class {name!r}; every source domain "
                f"must show every class. Add images, leave the class or the domain out, {allow}"
            )
        if found < wanted[label]:
            raise InputError(
                f"{domain.name!r} has {found} training images of class {name!r}, but "
                f"{wanted[label]} are to keep their label. Ask for fewer labels per class, {allow}"
            )


def _shuffled(domain: Domain, label: int, name: str, seed: int) -> Int[np.ndarray, " b"]:
    """Shuffles the training images of one class of one domain."""
    found = sorted(
        _found(domain, label), key=lambda i: (without_suffix(domain.paths[i]), domain.paths[i])
    )
    digest = hashlib.sha256(f"{domain.name}/{name}".encode()).digest()
    key = np.array([seed, int.from_bytes(digest[:8], "little")], np.uint64)
    # Sorting raw bits, unlike Generator.permutation, is sure to stay the same over NumPy releases.
    order = np.argsort(np.random.Philox(key=key).random_raw(len(found)), kind="stable")
    return np.array(found, np.int64)[order]
