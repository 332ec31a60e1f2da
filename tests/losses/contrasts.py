"""The contrastive losses, compiled, beside the same as double loops; and slopes of such loops."""

import functools

import jax
import numpy as np
import pytest
from pairs import directions

from jaxclr.losses import mv_dhel, nt_xent, semi_supervised_contrastive, supervised_contrastive


def slopes(function, point: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of a function of one array to a number."""
    found = np.zeros(point.shape)
    for place in np.ndindex(point.shape):
        moved = np.zeros(point.shape)
        moved[place] = step
        found[place] = (function(point + moved) - function(point - moved)) / (2 * step)
    return found


def energy(cosine, pair_weight, temperature):
    """The logarithm of each row's weighted sum; 0 where the row has no weight."""
    found = np.zeros(len(cosine))
    for i in range(len(cosine)):
        total = 0.0
        for j in range(len(cosine[i])):
            if pair_weight[i][j] > 0:
                total += float(pair_weight[i][j]) * np.exp(float(cosine[i][j]) / temperature)
        found[i] = np.log(total) if total else 0.0
    return found


def two_views(first, second, temperature, decoupled=False):
    """NT-Xent, or DCL, anchor by anchor."""
    z = [directions(first), directions(second)]
    found = np.zeros(len(first))
    for i in range(len(first)):
        for k in range(2):
            total = 0.0
            for v in range(2):
                for j in range(len(first)):
                    if (j, v) != (i, k) and not (decoupled and j == i):
                        total += np.exp(z[k][i] @ z[v][j] / temperature)
            found[i] -= z[k][i] @ z[1 - k][i] / temperature / 2
            found[i] += np.log(total) / 2 if total else 0.0
    return found


def within_views(first, second, temperature):
    """MV-DHEL: one alignment, and the energy of each view."""
    z = [directions(first), directions(second)]
    found = np.zeros(len(first))
    for i in range(len(first)):
        found[i] = -(z[0][i] @ z[1][i]) / temperature
        for view in z:
            total = 0.0
            for j in range(len(first)):
                if j != i:
                    total += np.exp(view[i] @ view[j] / temperature)
            found[i] += np.log(total) if total else 0.0
    return found


def by_label(embedding, label, weight, temperature):
    """SupCon over the examples that have weight; the loss of each, and whether it counts."""
    z = directions(embedding)
    found, counts = np.zeros(len(z)), np.zeros(len(z))
    for a in range(len(z)):
        others = [b for b in range(len(z)) if b != a and weight[b] > 0]
        positives = [b for b in others if label[b] == label[a]]
        if weight[a] > 0 and positives:
            counts[a] = 1
            total = sum(weight[b] * np.exp(z[a] @ z[b] / temperature) for b in others)
            share = sum(weight[p] for p in positives)
            for p in positives:
                log = np.log(np.exp(z[a] @ z[p] / temperature) / total)
                found[a] -= weight[p] / share * log
    return found, counts


def with_prototypes(embedding, label, weight, prototypes, temperature):
    """SSC: the paper's scaled loss of each anchor, prototypes last, and whether it counts."""
    z = np.concatenate([directions(embedding), directions(prototypes)])
    label = [*label, *range(len(prototypes))]
    weight = np.array([*weight, *np.ones(len(prototypes))], np.float64)
    found, counts = np.zeros(len(z)), np.zeros(len(z))
    for a in range(len(z)):
        total, logs = 0.0, []
        for b in range(len(z)):
            if b != a:
                total += np.exp(z[a] @ z[b] / temperature)
        for p in range(len(z)):
            if p != a and label[p] == label[a]:
                logs.append(np.log(np.exp(z[a] @ z[p] / temperature) / total))
        if logs:
            counts[a] = 1
            found[a] = weight[a] * len(z) / sum(weight) * -sum(logs) / len(logs)
    return found, counts


compiled = functools.partial(jax.jit, static_argnames="temperature")
supcon, ssc = compiled(supervised_contrastive), compiled(semi_supervised_contrastive)
VIEW_LOSSES = {
    "nt_xent": (compiled(nt_xent), two_views),
    "dcl": (
        compiled(functools.partial(nt_xent, decoupled=True)),
        functools.partial(two_views, decoupled=True),
    ),
    "mv_dhel": (compiled(mv_dhel), within_views),
}
each_view_loss = pytest.mark.parametrize(
    ("loss", "reference"), VIEW_LOSSES.values(), ids=VIEW_LOSSES
)
