"""Outputs in which nothing is missing, and what numpy makes of vectors."""

import jax.numpy as jnp
import numpy as np
from outcomes import IS_LABELED, B, D, K, outcome

from jaxclr.types import Outputs, Prediction

E, P = 4, 6
"""Widths of embeddings and of a frozen encoder's features; neither is that of the features."""
ALIKE = ("strong", "second")


def everything(seed: int = 0, trusted: list[float] | None = None) -> Outputs:
    """An outcome with projector, predictor, prototypes, averaged weights and a frozen encoder."""
    plain, rng = outcome(seed, trusted), np.random.default_rng([seed, 1])

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    def projected(prediction: Prediction) -> Prediction:
        b = len(prediction.logits)
        return prediction._replace(embedding=normal(b, E), predicted=normal(b, E))

    average = tuple(Prediction(normal(B, K), normal(B, D), normal(B, E)) for _ in ALIKE)
    return plain._replace(
        labeled=projected(plain.labeled),
        weak=projected(plain.weak),
        strong=projected(plain.strong),
        second=projected(plain.second),
        average=average,
        prior=(normal(B, P), normal(B, P)),
        prototypes=normal(K, E),
    )


def directions(vectors) -> np.ndarray:
    """Rows of length one, in double precision."""
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def with_embeddings(outputs: Outputs, **embeddings) -> Outputs:
    """The outputs with other embeddings of the views named."""
    return outputs._replace(
        **{
            view: getattr(outputs, view)._replace(embedding=jnp.asarray(embedding))
            for view, embedding in embeddings.items()
        }
    )


def unlabeled_shuffled(outputs: Outputs, seed: int = 0) -> Outputs:
    """The same with unlabeled images at each other's places."""
    order, places = np.arange(B), np.flatnonzero(~IS_LABELED)
    order[places] = np.random.default_rng(seed).permutation(places)

    def shuffled(parts):
        return type(parts)(*(None if x is None else x[order] for x in parts))

    moved = {name: shuffled(getattr(outputs, name)) for name in ("weak", "pseudo", *ALIKE)}
    return outputs._replace(**moved)
