"""FixCLR's loss as a double loop, and samples to try it on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.losses import negative_class_contrastive

K, N = 3, 2


def directions(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return np.divide(features, norm, out=np.zeros_like(features), where=norm > 0)


def numerator(z, label, weight, of, temperature, attraction):
    """exp(P / T) of class ``of``: the fixed positive, mixed with the mean real one."""
    total = count = 0.0
    for a in range(len(z)):
        for b in range(len(z)):
            if a != b and label[a] == label[b] == of:
                total += weight[a] * weight[b] * np.exp(z[a] @ z[b] / temperature)
                count += weight[a] * weight[b]
    fixed = np.exp(1 / temperature)
    return (1 - attraction) * fixed + attraction * (total / count if count else fixed)


def reference(
    features, label, domain, weight, *, num_classes=K, num_domains=N, temperature=0.1, attraction=0
):
    """The same table as a loop over classes, domains and pairs, the way the sum is written."""
    z = directions(features)
    loss = np.zeros((num_classes, num_domains))
    exists = np.zeros((num_classes, num_domains), bool)
    for j in range(num_classes):
        positive = numerator(z, label, weight, j, temperature, attraction)
        for i in range(num_domains):
            own = [a for a in range(len(z)) if label[a] == j and weight[a] > 0]
            others = [
                b for b in range(len(z)) if domain[b] == i and label[b] != j and weight[b] > 0
            ]
            exists[j, i] = bool(own and others)
            total = 0.0
            for a in own:
                for b in others:
                    total += weight[a] * weight[b] * np.exp(z[a] @ z[b] / temperature) / positive
            loss[j, i] = np.log1p(total)
    return loss, exists


def samples(b=12, k=K, n=N, d=4, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(size=b) * (rng.uniform(size=b) < 0.8)
    return (
        (rng.normal(size=(b, d)) * rng.uniform(0.1, 9, (b, 1))).astype(np.float32),
        rng.integers(0, k, b),
        rng.integers(0, n, b),
        weight.astype(np.float32),
    )


def table(*given, **settings):
    """The loss and the existence of every pair."""
    arrays = (jnp.asarray(x) for x in given)
    return negative_class_contrastive(*arrays, **{"num_classes": K, "num_domains": N, **settings})


def gradient(features, *rest, share=1.0, **settings):
    """Of the summed table, or of its product with ``share``, by the features."""

    def total(features):
        return (table(features, *rest, **settings)[0] * share).sum()

    return np.asarray(jax.grad(total)(jnp.asarray(features)))


@functools.partial(jax.jit, static_argnums=(5, 6))
def traced(features, label, domain, weight, attraction, num_classes, num_domains):
    return negative_class_contrastive(
        features, label, domain, weight,
        num_classes=num_classes, num_domains=num_domains, attraction=attraction,
    )  # fmt: skip


attractions = pytest.mark.parametrize("attraction", [0.0, 0.3, 1.0])
