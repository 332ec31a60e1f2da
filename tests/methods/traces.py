"""Batches of imaginary predictions, one after another, for the tests of labelers that remember."""

import jax.numpy as jnp
import numpy as np
from outcomes import SIZES, K, N, evidence

from jaxclr.types import Evidence, Prediction


def batch(seed: int, rows: int = 2, lean: tuple[float, ...] = (0.0,) * K) -> Evidence:
    """Rows of labeled and unlabeled images, with guesses of every confidence.

    Args:
        seed: Of all that is drawn.
        rows: How many.
        lean: What the network says more, or less, of each class than of the others.
    """
    rng = np.random.default_rng(seed)
    is_labeled = np.tile([True] * N + [False] * 2 * N, rows)
    b = len(is_labeled)
    logits = jnp.asarray(3 * rng.normal(size=(b, K)) + lean, jnp.float32)
    index = np.full(b, -1)
    index[~is_labeled] = rng.permutation(max(SIZES.num_unlabeled, b))[: sum(~is_labeled)]
    given = np.where(is_labeled, rng.integers(0, K, b), -1)
    return evidence(
        Prediction(logits, logits, logits), given=jnp.asarray(given), number=jnp.asarray(index)
    )


def stated(given: Evidence) -> np.ndarray:
    """The probabilities in double precision."""
    return softmax(given.prediction.logits)


def softmax(logits) -> np.ndarray:
    """Row by row, in double precision."""
    powers = np.exp(np.asarray(logits, np.float64))
    return powers / powers.sum(-1, keepdims=True)


def unlabeled_of(given: Evidence) -> list[int]:
    """The places of the unlabeled images in the batch."""
    return [e for e in range(len(given.given)) if given.given[e] < 0]


def trace(labeler, batches):
    """The memory and the guesses after each step."""
    memory, after = labeler.init(SIZES), []
    for one in batches:
        memory, pseudo = labeler.label(memory, one)
        after.append((memory, pseudo))
    return after


def weighed(logits, labeler, memory):
    """The weights of unlabeled images of which a network says this."""
    logits = jnp.asarray(logits, jnp.float32)
    said = Prediction(logits, logits, logits)
    return labeler.label(memory, evidence(said))[1].weight
