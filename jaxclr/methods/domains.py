"""What terms that compare domains need of a batch."""

import abc
import dataclasses
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from jaxclr.losses import masked_mean
from jaxclr.methods.method import Method, Reads, Term, needed
from jaxclr.types import Outputs

Vectors = Literal["features", "embedding"]
Views = Literal["labeled", "strong"]


@dataclasses.dataclass(frozen=True)
class Alignment(Term):
    """Draws domains together in what the labeled images' features have of each.

    The mean over the pairs of domains, times the number of domains, like the cross-entropy beside
    it.
    """

    vectors: Vectors = "features"
    """What is aligned: the backbone's features, or what the projector makes of them."""

    reads = ("labeled",)
    # It asks no image for its label.
    mixed = True

    @abc.abstractmethod
    def distance(
        self, vectors: Num[Array, "v d"], domain: Int[Array, " v"], num_domains: int
    ) -> tuple[Float[Array, "n n"], Bool[Array, "n n"]]:
        """How far every two domains are apart, and whether both have vectors."""

    def __call__(self, outputs: Outputs) -> Float[Array, ""]:
        """The term's value, in the unit of the distance; 0 where there is one domain alone."""
        vectors, domain = spread(outputs, self.reads[0], self.vectors)
        distance, exists = self.distance(vectors, domain, outputs.num_domains)
        return outputs.num_domains * masked_mean(distance, exists)


def aligns_strong(base: Method, views: Views | None) -> bool:
    """Whether the strong views are aligned: as told, or else where the base reads them."""
    return views == "strong" if views else "strong" in base.reads


def domain_of_labeled(outputs: Outputs) -> Int[Array, " l"]:
    """The domain of each labeled image."""
    return jnp.arange(len(outputs.label)) % outputs.num_domains


def half_of_labeled(outputs: Outputs) -> Int[Array, " l"]:
    """0 or 1: labeled images of each domain in turn, so that halves differ by one at most."""
    return jnp.arange(len(outputs.label)) // outputs.num_domains % 2


def spread(
    outputs: Outputs, view: Reads, vectors: Vectors
) -> tuple[Num[Array, "v d"], Int[Array, " v"]]:
    """The vectors of a view, and the domain of each."""
    if view == "labeled":
        seen = needed(outputs.labeled, "a pass over labeled images")
        return getattr(seen, vectors), domain_of_labeled(outputs)
    seen = needed(outputs.strong, "a pass over strong views")
    return getattr(seen, vectors), outputs.domain


def stepped(outputs: Outputs, early: float, anneal: float) -> Float[Array, ""]:
    """A factor that is ``early`` over the first ``anneal`` of the run, and 1 from there on."""
    return jnp.where(outputs.progress < anneal, early, 1.0).astype(jnp.float32)
