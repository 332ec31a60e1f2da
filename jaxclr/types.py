"""The arrays that flow from the pipeline to the losses.

Every batch is laid out with the domain varying fastest: example ``e`` is of source domain
``e % n``. A block of ``n`` consecutive examples (one of each domain) is a *row*; rows are what
devices share out, so that each device holds its own examples of every domain.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int, Num, PRNGKeyArray, PyTree, Shaped, UInt8

Tensor = Array | np.ndarray
"""An array on a device, or on its way there."""


class Views(NamedTuple):
    """Augmentations of the same images, domains fastest."""

    weak: UInt8[Tensor, "b h w 3"]
    """Where views are made on the device: before they are, the images as plain squares."""
    strong: UInt8[Tensor, "b h w 3"] | None
    """None before the device makes them."""
    label: Int[Tensor, " b"]
    """Class index. Of unlabeled images it only measures the pseudo-labels; -1: not known."""
    domain: Int[Tensor, " b"]
    """Index of the source domain, ``e % n`` of example ``e``."""
    number: Int[Tensor, " b"]
    """Of the image, among the labeled, or the unlabeled, ones of all source domains."""
    second: UInt8[Tensor, "b h w 3"] | None = None
    """Another strong view, drawn independently; None where the method reads none."""
    crops: UInt8[Tensor, "b c s s 3"] | None = None
    """Small windows of each image; None where the method reads none."""


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
    """After the projector; the features themselves where there is none."""
    predicted: Num[Array, "b e"] | None = None
    """After the predictor, which guesses the embedding of another view; None without one."""
    samples: Num[Array, "s b k"] | None = None
    """Logits drawn by dropout, of guesses alone; None where the classifier drops nothing."""


class PseudoLabels(NamedTuple):
    """Guessed labels, and how far to rely on them."""

    label: Int[Array, " b"]
    confidence: Float[Array, " b"]
    """Highest class probability, in [0, 1]."""
    weight: Float[Array, " b"]
    """In [0, 1]; a hard mask is 0 or 1."""
    probabilities: Float[Array, "b k"]
    """What is guessed of every class; the target of terms that learn from soft labels."""


class Mixture(NamedTuple):
    """What is in labeled images that were mixed with others."""

    label: Int[Array, " l"]
    """Of the other image."""
    share: Float[Array, " l"]
    """How much is of the own image, in [0, 1]; the rest is of the other one."""


class Sizes(NamedTuple):
    """The numbers that a memory's shape may depend on."""

    num_classes: int
    num_domains: int
    num_unlabeled: int
    """Over all source domains."""
    width: int
    """Of the features."""


class Evidence(NamedTuple):
    """All that a labeler may go by; labeled and unlabeled images alike ("b")."""

    prediction: Prediction
    """Of the weak views, without gradient."""
    given: Int[Array, " b"]
    """The label where there is one, -1 where there is none."""
    domain: Int[Array, " b"]
    number: Int[Array, " b"]
    """Of the image, among the unlabeled ones; -1 of labeled ones."""
    num_domains: int
    progress: Float[Array, ""]
    """Fraction of the run's steps already made, in [0, 1)."""
    key: PRNGKeyArray
    """For draws; another at every step."""


class Outputs(NamedTuple):
    """All that a loss term may see; what the annotator hid is not in it.

    ``weak``, ``strong``, ``second``, ``crops``, ``learned``, ``style``, ``teacher``, ``pseudo``,
    ``given`` and ``domain`` cover labeled and unlabeled images alike ("b"), ``labeled``, ``label``
    and ``mixture`` the labeled ones alone ("l"). What no term of the method reads is None.
    """

    labeled: Prediction | None
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
    key: PRNGKeyArray
    """For draws of the terms; another at every step."""
    mixture: Mixture | None = None
    """Of the images of ``labeled``; None where they are not mixed."""
    second: Prediction | None = None
    """Of all images' other strong views, with gradient."""
    crops: tuple[Prediction, ...] | None = None
    """Of all images' first small windows, their second ones, and so on, with gradient."""
    learned: Prediction | None = None
    """Of all weak views once more, with gradient."""
    style: Prediction | None = None
    """Of all weak views in the look of another domain, with gradient."""
    average: tuple[Prediction, Prediction] | None = None
    """Of ``strong`` and ``second``'s views by the averaged weights, without gradient."""
    teacher: Prediction | None = None
    """Of all weak views by the averaged weights, without gradient."""
    prior: tuple[Float[Array, "b p"], ...] = ()
    """Features by the frozen encoder, of ``strong``'s views and of ``second``'s if read; empty
    without an encoder."""
    prototypes: Float[Array, "k e"] | None = None
    """The classifier's trainable prototypes, not normalised; None where it has none."""
    memory: PyTree = ()
    """The labeler's, after all that it remembers of this step."""
    bank: PyTree = ()
    """What the method's bank keeps of the labeled images."""

    def only_unlabeled(self, values: Shaped[Array, "b ..."]) -> Shaped[Array, "u ..."]:
        """Picks what belongs to the unlabeled images, in order; of a shape known beforehand."""
        rows = len(self.label) // self.num_domains
        shape = values.shape[1:]
        return values.reshape(rows, -1, *shape)[:, self.num_domains :].reshape(-1, *shape)
