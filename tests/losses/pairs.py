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


def one_pair(z, weight, own, others, temperature, reading, positive):
    """The loss of one class in one domain; without a ``positive``, log-sum-exp alone."""

    def log(total):
        return np.log1p(total / positive) if positive else np.log(total) - 1 / temperature

    def pushes(a):
        return sum(weight[b] * np.exp(z[a] @ z[b] / temperature) for b in others)

    if reading == "pairs":
        return log(sum(weight[a] * pushes(a) for a in own))
    if reading == "anchors":
        return sum(weight[a] * log(pushes(a)) for a in own) / sum(weight[a] for a in own)
    total = sum(weight[a] * weight[b] * (z[a] @ z[b]) for a in own for b in others)
    count = sum(weight[a] * weight[b] for a in own for b in others)
    return log(np.exp(total / count / temperature))


def reference(
    features, label, domain, weight, *, num_classes=K, num_domains=N, temperature=0.2,
    attraction=0, reading="pairs", frozen_numerator=True,
):  # fmt: skip
    """The same table as a loop over classes, domains and pairs, the way the sum is written."""
    z, weight = directions(features), np.asarray(weight, np.float64)
    loss = np.zeros((num_classes, num_domains))
    exists = np.zeros((num_classes, num_domains), bool)
    for j in range(num_classes):
        real = numerator(z, label, weight, j, temperature, attraction)
        positive = real if frozen_numerator else None
        own = [a for a in range(len(z)) if label[a] == j and weight[a] > 0]
        for i in range(num_domains):
            others = [
                b for b in range(len(z)) if domain[b] == i and label[b] != j and weight[b] > 0
            ]
            exists[j, i] = bool(own and others)
            if exists[j, i]:
                loss[j, i] = one_pair(z, weight, own, others, temperature, reading, positive)
    return loss, exists


def slopes_of_reference(features, *rest, share=1.0, **settings):
    """Finite differences of the summed double loop, or of its product with ``share``."""
    slopes = np.zeros(features.shape)
    for place in np.ndindex(features.shape):
        step = np.zeros(features.shape)
        step[place] = 1e-5
        up, down = (reference(features + s * step, *rest, **settings)[0] for s in (1, -1))
        slopes[place] = ((up - down) * share).sum() / 2e-5
    return slopes


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


@functools.partial(jax.jit, static_argnames=("num_classes", "num_domains", "reading", "frozen"))
def traced(
    features, label, domain, weight, attraction, num_classes, num_domains,
    reading="pairs", frozen=True,
):  # fmt: skip
    return negative_class_contrastive(
        features, label, domain, weight,
        num_classes=num_classes, num_domains=num_domains, attraction=attraction,
        reading=reading, frozen_numerator=frozen,
    )  # fmt: skip


attractions = pytest.mark.parametrize("attraction", [0.0, 0.3, 1.0])
readings = pytest.mark.parametrize("reading", ["pairs", "group_means", "anchors"])
numerators = pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "none"])
