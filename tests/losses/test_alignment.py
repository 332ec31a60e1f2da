import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.losses import kernel_distance, moment_distance
from jaxclr.losses.blocks import AT_ONCE

WIDTHS = (0.001, 0.01, 0.1, 1, 10, 100, 1000)


def sample(counts, d=3, seed=0):
    """Vectors of domains of so many examples, in any order, each domain at its own place."""
    rng = np.random.default_rng(seed)
    domain = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    own = rng.normal(size=(2, len(counts), d))
    vectors = own[0, domain] + np.exp(0.5 * own[1, domain]) * rng.normal(size=(len(domain), d))
    return vectors.astype(np.float32), domain


def moments(x, y):
    """Sums over features, one after the other."""
    d, total = x.shape[1], 0.0
    for r in range(d):
        total += (sum(x[:, r]) / len(x) - sum(y[:, r]) / len(y)) ** 2 / d
    for r, s in np.ndindex(d, d):
        of_both = []
        for rows in (x, y):
            mean = rows.mean(0)
            products = [(row[r] - mean[r]) * (row[s] - mean[s]) for row in rows]
            of_both.append(sum(products) / max(len(rows) - 1, 1))
        total += (of_both[0] - of_both[1]) ** 2 / d**2
    return total


def kernels(x, y, widths=WIDTHS):
    """Sums over pairs of examples, one after the other."""

    def mean(first, second):
        near = [math.exp(-w * ((a - b) ** 2).sum()) for a in first for b in second for w in widths]
        return sum(near) / (len(first) * len(second))

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def pair_by_pair(distance, vectors, domain, n):
    """The distance of every two different domains that both have examples, in double precision."""
    x, found, exists = np.asarray(vectors, np.float64), np.zeros((n, n)), np.zeros((n, n), bool)
    for i, j in np.ndindex(n, n):
        if i != j and (domain == i).any() and (domain == j).any():
            found[i, j], exists[i, j] = distance(x[domain == i], x[domain == j]), True
    return found, exists


@functools.cache
def jitted(loss):
    return jax.jit(functools.partial(loss, num_domains=3))


@functools.cache
def sloped(loss):
    return jax.jit(jax.value_and_grad(lambda x, domain: jitted(loss)(x, domain)[0].sum()))


LOSSES = [(moment_distance, moments), (kernel_distance, kernels)]
each_pair = pytest.mark.parametrize(
    ("loss", "reference"), LOSSES, ids=[loss.__name__ for loss, _ in LOSSES]
)
each_loss = pytest.mark.parametrize("loss", [x for x, _ in LOSSES], ids=lambda x: x.__name__)


@each_pair
@settings(deadline=None, max_examples=10, derandomize=True, database=None)
@given(st.lists(st.integers(0, 4), min_size=3, max_size=3), st.integers(0, 99))
def test_each_is_its_double_loop_whatever_is_in_the_domains(loss, reference, counts, seed):
    # The rest is of no domain, so that all are of one shape.
    vectors, domain = sample([*counts, 12 - sum(counts)], seed=seed)
    distance, exists = jitted(loss)(vectors, domain)
    expected, pairs = pair_by_pair(reference, vectors, domain, 3)
    np.testing.assert_array_equal(exists, pairs)
    np.testing.assert_allclose(distance, expected, rtol=1e-3, atol=1e-5)


def test_of_two_domains_on_a_line_it_is_known():
    # Means 0 and 3, variances 2 and 8: (0 - 3)² + (2 - 8)².
    vectors = jnp.array([[-1.0], [1.0], [1.0], [5.0]])
    distance, _ = jitted(moment_distance)(vectors, jnp.array([0, 0, 2, 2]))
    np.testing.assert_allclose(distance, [[0, 0, 45], [0, 0, 0], [45, 0, 0]], rtol=1e-6)
    # One example each, at distance 2: 1 + 1 - 2 e^(-4 / 2).
    vectors, domain = jnp.array([[0.0], [2.0]]), jnp.array([0, 1])
    settings = {"num_domains": 2, "inverse_widths": (0.5,)}
    distance, _ = jax.jit(functools.partial(kernel_distance, **settings))(vectors, domain)
    np.testing.assert_allclose(distance[0, 1], 2 - 2 * math.exp(-2), rtol=1e-6)


@each_loss
def test_equal_domains_are_at_no_distance_wherever_they_are(loss):
    one = np.random.default_rng(0).normal(size=(5, 4)) + 30
    vectors = jnp.asarray(np.repeat(one, 3, axis=0), jnp.float32)
    distance, exists = jitted(loss)(vectors, jnp.arange(15) % 3)
    np.testing.assert_allclose(distance, np.zeros((3, 3)), atol=1e-4)
    np.testing.assert_array_equal(exists, ~np.eye(3, dtype=bool))


def test_moments_scale_as_squares_and_fourth_powers_do():
    vectors, domain = sample([6, 6])
    centred = vectors - np.stack([vectors[domain == i].mean(0) for i in (0, 1)])[domain]

    def distance(x):
        return float(jitted(moment_distance)(x, domain)[0][0, 1])

    by_means = distance(vectors) - distance(centred)
    np.testing.assert_allclose(distance(3 * centred), 81 * distance(centred), rtol=1e-4)
    expected = 81 * distance(centred) + 9 * by_means
    np.testing.assert_allclose(distance(3 * vectors), expected, rtol=1e-3)


@each_loss
def test_what_is_of_no_domain_is_left_out(loss):
    vectors, domain = sample([4, 4, 2])
    outside = np.array([-1, 3, 3, -1, 7])
    one, other = (np.concatenate([vectors, x * np.ones((5, 3), np.float32)]) for x in (1, 100))
    given = np.concatenate([domain, outside])
    found = [jitted(loss)(x, given)[0] for x in (one, other)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)
    expected, _ = jitted(loss)(np.concatenate([vectors] * 2)[:15], given)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)


@each_loss
@pytest.mark.parametrize("domain", [[0, 1, 2, 0], [0, 0, 0, 0], [0, 1, 0, 1]])
def test_gradients_are_finite_at_the_edges(loss, domain):
    """One example alone, a domain alone, and vectors that are all alike."""
    for vectors in (jnp.ones((4, 3)), 1e3 * jnp.eye(4, 3)):
        value, slopes = sloped(loss)(vectors, jnp.array(domain))
        assert np.isfinite(value) and np.isfinite(slopes).all()


@each_pair
def test_gradients_are_differences_of_the_double_loop(loss, reference):
    vectors, domain = sample([2, 2])
    step, found = 1e-5, np.zeros(vectors.shape)
    for place in np.ndindex(*vectors.shape):
        moved = np.zeros(vectors.shape)
        moved[place] = step
        ends = [pair_by_pair(reference, vectors + s * moved, domain, 2)[0][0, 1] for s in (1, -1)]
        found[place] = (ends[0] - ends[1]) / (2 * step)
    # Of both orders of the only pair.
    _, slopes = sloped(loss)(jnp.asarray(vectors), jnp.asarray(domain))
    np.testing.assert_allclose(slopes, 2 * found, rtol=2e-3, atol=4e-4)


def test_a_large_batch_goes_by_blocks_and_says_the_same():
    rng = np.random.default_rng(0)
    b = AT_ONCE + 8
    vectors, domain = rng.normal(size=(b, 2)).astype(np.float32), np.arange(b) % 2
    call = functools.partial(kernel_distance, num_domains=2, inverse_widths=(0.1, 1.0))
    found = jax.jit(call)(jnp.asarray(vectors), jnp.asarray(domain))[0][0, 1]
    squared = ((vectors[:, None] - vectors) ** 2).sum(-1, dtype=np.float64)
    near = np.exp(-0.1 * squared) + np.exp(-squared)
    own = [near[i::2, i::2].mean() for i in (0, 1)]
    np.testing.assert_allclose(found, sum(own) - 2 * near[::2, 1::2].mean(), rtol=1e-2)
