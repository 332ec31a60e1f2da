"""Outputs of an imaginary network, for the tests of what methods make of them."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxclr.types import Evidence, Outputs, Prediction, PseudoLabels, Sizes

K, N, D = 3, 2, 5
ROWS = 2
LABELED, UNLABELED = ROWS * N, ROWS * 2 * N
B = LABELED + UNLABELED
IS_LABELED = np.tile([True] * N + [False] * 2 * N, ROWS)
"""Of every example: each row has its labeled images first, domains fastest."""
SIZES = Sizes(num_classes=K, num_domains=N, num_unlabeled=20, width=D)


def prediction(rng: np.random.Generator, b: int) -> Prediction:
    logits = jnp.asarray(rng.normal(size=(b, K)), jnp.float32)
    features = jnp.asarray(rng.normal(size=(b, D)), jnp.float32)
    return Prediction(logits, features, features)


def saying(probabilities, dtype=jnp.float32) -> Prediction:
    """What a network says that states these probabilities."""
    logits = jnp.log(jnp.asarray(probabilities, jnp.float32)).astype(dtype)
    return Prediction(logits, logits, logits)


def evidence(said: Prediction, **changes) -> Evidence:
    """All a labeler may go by, of unlabeled images unless told otherwise."""
    b = len(said.logits)
    plain = Evidence(
        prediction=said,
        given=jnp.full(b, -1),
        domain=jnp.arange(b) % N,
        number=jnp.arange(b),
        num_domains=N,
        progress=jnp.float32(0.25),
        key=jax.random.key(0),
    )
    return plain._replace(**changes)


def label_by(labeler, said: Prediction, **changes) -> PseudoLabels:
    """What a labeler without memory guesses."""
    memory, pseudo = labeler.label(labeler.init(SIZES), evidence(said, **changes))
    assert memory == ()
    return pseudo


def outcome(seed: int = 0, trusted: list[float] | None = None) -> Outputs:
    """Rows of labeled and unlabeled images; guesses are trusted at random, or as told."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, K, LABELED)
    weak = prediction(rng, B)
    probabilities = np.exp(weak.logits) / np.exp(weak.logits).sum(1, keepdims=True)
    weight = rng.integers(0, 2, B) if trusted is None else trusted
    given = np.full(B, -1)
    given[IS_LABELED] = label
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
        given=jnp.asarray(given),
        domain=jnp.arange(B) % N,
        num_domains=N,
        progress=jnp.float32(0.25),
        key=jax.random.key(seed),
        second=prediction(rng, B),
    )


def surprise(logits: np.ndarray, label: int) -> float:
    """Cross-entropy of one example."""
    logits = np.asarray(logits, np.float64)
    return float(np.log(np.exp(logits).sum()) - logits[label])
