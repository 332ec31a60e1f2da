"""Outputs of an imaginary network, for the tests of what methods make of them."""

import jax.numpy as jnp
import numpy as np

from jaxclr.types import Outputs, Prediction, PseudoLabels

K, N = 3, 2
LABELED, UNLABELED = 4, 6
B = LABELED + UNLABELED


def prediction(rng: np.random.Generator, b: int) -> Prediction:
    logits = jnp.asarray(rng.normal(size=(b, K)), jnp.float32)
    features = jnp.asarray(rng.normal(size=(b, 5)), jnp.float32)
    return Prediction(logits, features, features)


def outcome(seed: int = 0, trusted: list[float] | None = None) -> Outputs:
    """Labeled images first, domains fastest; guesses are trusted at random, or as told."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, K, LABELED)
    weak = prediction(rng, B)
    probabilities = np.exp(weak.logits) / np.exp(weak.logits).sum(1, keepdims=True)
    weight = rng.integers(0, 2, B) if trusted is None else trusted
    return Outputs(
        labeled=prediction(rng, LABELED),
        weak=weak,
        strong=prediction(rng, B),
        label=jnp.asarray(label),
        pseudo=PseudoLabels(
            jnp.asarray(rng.integers(0, K, B)),
            jnp.asarray(probabilities.max(1)),
            jnp.asarray(weight, jnp.float32),
            jnp.asarray(probabilities),
        ),
        given=jnp.asarray(np.concatenate([label, np.full(UNLABELED, -1)])),
        domain=jnp.arange(B) % N,
        num_domains=N,
        progress=jnp.float32(0.25),
    )


def surprise(logits: np.ndarray, label: int) -> float:
    """Cross-entropy of one example."""
    logits = np.asarray(logits, np.float64)
    return float(np.log(np.exp(logits).sum()) - logits[label])
