"""The arrays that flow from the pipeline to the losses.

Every batch is laid out with the domain varying fastest: example ``e`` is of source domain
``e % n``. A block of ``n`` consecutive examples (one of each domain) is a *row*; rows are what
devices share out, so that each device holds its own examples of every domain.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int, Num, UInt8

Tensor = Array | np.ndarray
"""An array on a device, or on its way there."""


class Views(NamedTuple):
    """Two augmentations of the same images, domains fastest."""

    weak: UInt8[Tensor, "b h w 3"]
    strong: UInt8[Tensor, "b h w 3"]
    label: Int[Tensor, " b"]
    """Class index. Of unlabeled images it only measures the pseudo-labels; -1: not known."""
    domain: Int[Tensor, " b"]
    """Index of the source domain, ``e % n`` of example ``e``."""


class Batch(NamedTuple):
    """What one step is made of."""

    labeled: Views
    unlabeled: Views


class Prediction(NamedTuple):
    """What the network says of some images."""

    logits: Num[Array, "b k"]
    features: Num[Array, "b d"]
    """Pooled output of the backbone."""
    embedding: Num[Array, "b e"]
    """After the projection head; the features themselves where there is none."""


class PseudoLabels(NamedTuple):
    """Guessed labels, and how far to rely on them."""

    label: Int[Array, " b"]
    confidence: Float[Array, " b"]
    """Highest class probability, in [0, 1]."""
    weight: Float[Array, " b"]
    """In [0, 1]; a hard mask is 0 or 1."""
    probabilities: Float[Array, "b k"]


class Outputs(NamedTuple):
    """All that a loss term may see; what the annotator hid is not in it.

    ``weak``, ``strong``, ``pseudo``, ``given`` and ``domain`` cover labeled and unlabeled images
    alike ("b"), ``labeled`` and ``label`` the labeled ones alone ("l"). Where nothing is
    guessed, ``weak``, ``strong`` and ``pseudo`` are None.
    """

    labeled: Prediction
    """Of the labeled images' weak views, with gradient."""
    weak: Prediction | None
    """Of all weak views, without gradient."""
    strong: Prediction | None
    """Of all strong views, with gradient."""
    label: Int[Array, " l"]
    pseudo: PseudoLabels | None
    given: Int[Array, " b"]
    """The label where there is one, -1 where there is none."""
    domain: Int[Array, " b"]
    num_domains: int
    progress: Float[Array, ""]
    """Fraction of the run's steps already made, in [0, 1)."""
