"""ADC: calibrates whom an embedding takes for its neighbours, on top of any method."""

import dataclasses
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxclr.losses import gaussian_t_calibration, local_preservation, neighbourhood_entropy
from jaxclr.methods.method import Method, Reads, Term, needed
from jaxclr.types import Outputs

Vectors = Literal["embedding", "features"]


@dataclasses.dataclass(frozen=True)
class Calibration(Term):
    """Draws near strong views together and pushes far ones off, blind to labels.

    The sum over the anchors, not their mean, which would vanish beside the base's loss. With a
    frozen encoder each anchor is weighed by one over the entropy of the neighbourhood that the
    encoder sees: outliers count less. Without one each weighs 1.
    """

    weight: float = 0.1
    scale2: float = 0.5
    """Squared scale of both kernels; on unit vectors 0.5 is a temperature of 0.5."""
    dof: float = 3.0
    """Degrees of freedom of Student's t, above 2."""
    vectors: Vectors = "embedding"
    """What is calibrated: what the projector makes, or the backbone's features."""

    reads = ("strong",)

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The sum in nats over all images, labeled and unlabeled."""
        prior = seen_by_prior(outputs, self.reads)
        reliance = None
        if prior is not None:
            reliance = 1 / neighbourhood_entropy(prior, scale2=self.scale2, dof=self.dof)
        return gaussian_t_calibration(
            stacked(outputs, self.reads, self.vectors),
            scale2=self.scale2,
            dof=self.dof,
            anchor_weight=reliance,
        ).sum()


@dataclasses.dataclass(frozen=True)
class Preservation(Term):
    """Keeps of every strong view the neighbours that a frozen encoder sees.

    The sum over the anchors. Without a frozen encoder there is nothing to keep and the value is 0;
    what could stand in its place the paper leaves open.
    """

    weight: float = 0.1
    scale2: float = 0.5
    """Squared scale of both kernels."""
    dof: float = 3.0
    """Degrees of freedom of Student's t, above 2."""
    vectors: Vectors = "embedding"
    """What keeps its neighbours: what the projector makes, or the backbone's features."""

    reads = ("strong",)

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The sum in nats over all images, labeled and unlabeled."""
        prior = seen_by_prior(outputs, self.reads)
        if prior is None:
            return jnp.zeros(())
        vectors = stacked(outputs, self.reads, self.vectors)
        return local_preservation(vectors, prior, scale2=self.scale2, dof=self.dof).sum()


@dataclasses.dataclass(frozen=True)
class PairCalibration(Calibration):
    """The same over both strong views at once: two anchors of every image."""

    reads = ("strong", "second")


@dataclasses.dataclass(frozen=True)
class PairPreservation(Preservation):
    """The same over both strong views at once: two anchors of every image."""

    reads = ("strong", "second")


def stacked(outputs: Outputs, views: tuple[Reads, ...], vectors: Vectors) -> Num[Array, "v d"]:
    """The vectors of the views named, one view after the other.

    Args:
        outputs: Must have every view that is named.
        views: Names of fields of ``outputs``, such as "strong".
        vectors: Which vectors: "features" or "embedding".

    Returns:
        As many rows as all views have together.
    """
    seen = [needed(getattr(outputs, view), f"a pass over {view} views") for view in views]
    return jnp.concatenate([getattr(prediction, vectors) for prediction in seen])


def seen_by_prior(outputs: Outputs, views: tuple[Reads, ...]) -> Float[Array, "v p"] | None:
    """The frozen encoder's features of as many views; None without an encoder."""
    return jnp.concatenate(outputs.prior[: len(views)]) if outputs.prior else None


def adc(
    base: Method,
    *,
    nu: float = 0.1,
    upsilon: float = 0.1,
    scale2: float = 0.5,
    dof: float = 3.0,
    vectors: Vectors = "embedding",
    views: Literal["strong", "both"] | None = None,
) -> Method:
    """Adds calibration, and where there is a frozen encoder preservation, to ``base``.

    Args:
        base: Any method, self-supervised or semi-supervised.
        nu: Factor of the calibration; the paper finds 0.01 to 1 about as good.
        upsilon: Factor of the preservation; likewise.
        scale2: Squared scale of the kernels.
        dof: Degrees of freedom of Student's t, above 2.
        vectors: What is calibrated.
        views: The first strong views alone, or both; none given: all that ``base`` reads.

    References:
        `A Generalized Learning Framework for Self-Supervised Contrastive Learning
        <https://arxiv.org/abs/2508.13596>`_, 2025; see
        :func:`jaxclr.losses.gaussian_t_calibration` and
        :func:`jaxclr.losses.local_preservation` for what is our reconstruction.
    """
    both = views == "both" if views else "second" in base.reads
    calibration, preservation = (
        (PairCalibration, PairPreservation) if both else (Calibration, Preservation)
    )
    return base.plus(
        calibration=calibration(nu, scale2, dof, vectors),
        preservation=preservation(upsilon, scale2, dof, vectors),
    )
