"""Guesses that use the classes of each domain as much as they are known to occur, by Sinkhorn."""

import dataclasses
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxclr import losses
from jaxclr.methods.erm import Supervised
from jaxclr.methods.method import Labeler, Method, likeliest
from jaxclr.methods.soft import SoftConsistency
from jaxclr.types import Evidence, PseudoLabels, Sizes

Prior = Literal["uniform", "given"]


class GivenCounts(NamedTuple):
    """How often labels were given so far."""

    labels: Float[Array, "n k"]
    """Of each domain and class, one more than that."""


@dataclasses.dataclass(frozen=True)
class SinkhornLabels(Labeler):
    r"""Assigns the images of each domain to classes whose shares are taken as known.

    The logits of a batch's images of one domain, labeled or not, are made probabilities by
    :func:`jaxclr.losses.sinkhorn`, so that their sums over the images nearly keep to the prior.
    """

    temperature: float = 0.5
    """T > 0, by which logits are divided; small values come near to hard assignments."""
    iterations: int = 3
    """How often rows and columns are scaled; after none it is the softmax."""
    prior: Prior = "uniform"
    """Share of each class in a domain: the same for all; or, where labeled images are drawn like
    the others, as labels are given, counted over all steps so far and one more of each class. The
    labels of one batch alone are too few: a class would get nothing when its label is not among
    them."""
    threshold: float = 0.0
    """Least confidence to be trusted, in [0, 1]."""
    hard: bool = False
    """Whether ``probabilities``, from which is learned, are made one-hot."""

    def init(self, sizes: Sizes) -> GivenCounts | tuple[()]:
        """No label has been given; nothing where that does not matter."""
        if self.prior == "uniform":
            return ()
        return GivenCounts(jnp.ones((sizes.num_domains, sizes.num_classes)))

    def label(
        self, memory: GivenCounts | tuple[()], evidence: Evidence
    ) -> tuple[GivenCounts | tuple[()], PseudoLabels]:
        """The likeliest class of the assignment, weighted 1 or 0."""
        n, logits = evidence.num_domains, evidence.prediction.logits
        b, k = logits.shape
        prior = jnp.ones((n, k))
        if isinstance(memory, GivenCounts):
            # Nobody is of class -1: it has no place in the one-hot row.
            given = jax.nn.one_hot(evidence.given, k).reshape(-1, n, k)
            memory = GivenCounts(memory.labels + given.sum(0))
            prior = memory.labels

        def assigned(scores: Float[Array, "r k"], share: Float[Array, " k"]) -> Float[Array, "r k"]:
            return losses.sinkhorn(
                scores, prior=share, temperature=self.temperature, iterations=self.iterations
            )

        # Domains vary fastest.
        rows = jax.vmap(assigned, in_axes=(1, 0), out_axes=1)(
            logits.astype(jnp.float32).reshape(-1, n, k), prior
        )
        probabilities = rows.reshape(b, k)
        trusted = (probabilities.max(-1) >= self.threshold).astype(jnp.float32)
        guess = likeliest(probabilities, trusted)
        if self.hard:
            guess = guess._replace(probabilities=jax.nn.one_hot(guess.label, k))
        return memory, guess


def sinkhorn(
    *,
    temperature: float = 0.5,
    iterations: int = 3,
    prior: Prior = "uniform",
    threshold: float = 0.0,
    hard: bool = False,
    unlabeled_weight: float = 1.0,
    labeled: bool = True,
) -> Method:
    """Cross-entropy on given labels, and on balanced assignments across views.

    SwAV's assignment, of images to classes in place of prototypes without a name, is put to
    semi-supervised use here: the method as a whole, per domain and with a prior, is ours.

    Args:
        temperature: T > 0, by which logits are divided; SwAV's 0.05 for assignments against its
            0.1 for predictions.
        iterations: How often rows and columns are scaled.
        prior: Share of each class in a domain: uniform, or as labels are given.
        threshold: Least confidence of a trusted assignment, in [0, 1].
        hard: Whether assignments are made one-hot.
        unlabeled_weight: Factor of the consistency term.
        labeled: Whether labeled images take part in the consistency, with guessed labels.

    References:
        Caron et al., `SwAV <https://arxiv.org/abs/2006.09882>`_, 2020, eq. 3-5; over domains as
        in FixMatch here.
    """
    return Method(
        terms={
            "supervised": Supervised(),
            "consistency": SoftConsistency(unlabeled_weight, labeled),
        },
        labeler=SinkhornLabels(temperature, iterations, prior, threshold, hard),
    )
