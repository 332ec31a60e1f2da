"""What terms that compare domains need of a batch."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from jaxclr.methods.method import Reads, needed
from jaxclr.types import Outputs

Vectors = Literal["features", "embedding"]
Views = Literal["labeled", "strong"]


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
