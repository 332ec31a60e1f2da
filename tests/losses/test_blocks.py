"""A large batch is taken in blocks of pairs, and nobody can tell but by the memory."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contrasts import slopes
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from pairs import K, N, directions, samples

from jaxclr.losses import (
    blocks,
    gaussian_t_calibration,
    local_preservation,
    mv_dhel,
    negative_class_contrastive,
    neighbourhood_entropy,
    nt_xent,
    semi_supervised_contrastive,
    supervised_contrastive,
)

B = 16
FEATURES, LABEL, DOMAIN, WEIGHT = samples(b=B)
OTHER = np.random.default_rng(1).normal(size=(B, 5)).astype(np.float32)
PROTOTYPES = np.random.default_rng(2).normal(size=(K, 4)).astype(np.float32)


def repulsion(**how):
    loss = functools.partial(negative_class_contrastive, num_classes=K, num_domains=N, **how)
    return lambda *given: loss(*given)[0], (FEATURES, LABEL, DOMAIN, WEIGHT)


def of_views(loss, **how):
    return functools.partial(loss, **how), (FEATURES, FEATURES + OTHER[:, :4])


def by_label(loss, *more, **how):
    return lambda *given: loss(*given, **how)[0], (FEATURES, LABEL, WEIGHT, *more)


# Each loss, and what it is given; some twice, since at low temperatures each example's nearest
# is looked up first.
LOSSES = {
    "fixclr": repulsion(),
    "attraction": repulsion(attraction=0.5),
    "anchors": repulsion(reading="anchors"),
    "group means": repulsion(reading="group_means"),
    "no numerator": repulsion(frozen_numerator=False),
    "no numerator, cold": repulsion(frozen_numerator=False, temperature=0.02),
    "supcon": by_label(supervised_contrastive),
    "supcon, cold": by_label(supervised_contrastive, temperature=0.03),
    "ssc": by_label(semi_supervised_contrastive, PROTOTYPES),
    "nt_xent": of_views(nt_xent),
    "dcl, cold": of_views(nt_xent, decoupled=True, temperature=0.03),
    "mv_dhel": of_views(mv_dhel),
    "calibration": (gaussian_t_calibration, (FEATURES,)),
    "calibration, cold": (functools.partial(gaussian_t_calibration, scale2=0.03), (FEATURES,)),
    "preservation": (local_preservation, (FEATURES, OTHER)),
    "entropy": (neighbourhood_entropy, (FEATURES,)),
}


def compiled(loss):
    """The loss and the slopes of its sum, each value counted differently, by all vectors."""

    def total(vectors, rest):
        given = [vectors.get(i, rest.get(i)) for i in range(len(vectors) + len(rest))]
        values = loss(*given)
        return (values * jnp.cos(jnp.arange(values.size)).reshape(values.shape)).sum(), values

    return jax.jit(jax.grad(total, has_aux=True))


def split(given):
    """Vectors, which get a gradient, and all else, by their positions."""
    return (
        {i: x for i, x in enumerate(given) if x.ndim == 2},
        {i: x for i, x in enumerate(given) if x.ndim == 1},
    )


@pytest.fixture
def cut(monkeypatch):
    """Cuts ever so small a batch, into three blocks of which the last is not full."""
    monkeypatch.setattr(blocks, "AT_ONCE", 1)
    monkeypatch.setattr(blocks, "BLOCK", 7)


def close(found, expected):
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5 * max(1, np.abs(y).max()))


each_loss = pytest.mark.parametrize("name", LOSSES)


@each_loss
def test_in_blocks_each_loss_and_its_gradient_are_what_they_are_at_once(name, cut, monkeypatch):
    loss, given = LOSSES[name]
    in_blocks = compiled(loss)(*split(given))
    monkeypatch.undo()
    at_once = compiled(loss)(*split(given))
    close(in_blocks, at_once)
    assert np.abs(at_once[1]).max() > 1e-3
    assert name == "entropy" or np.abs(at_once[0][0]).max() > 1e-3


def shared_out():
    return NamedSharding(Mesh(np.array(jax.devices()[:4]), "data"), PartitionSpec("data"))


@pytest.mark.parametrize("name", ["fixclr", "ssc", "calibration"])
def test_devices_that_share_the_examples_come_to_the_same(name, cut):
    loss, given = LOSSES[name]
    shared = shared_out()
    placed = [jax.device_put(x, shared) if len(x) == B else x for x in given]
    close(compiled(loss)(*split(placed)), compiled(loss)(*split(given)))


def test_devices_send_no_pairs_around_though_domains_are_known_to_each():
    loss, (features, label, _, weight) = LOSSES["fixclr"]

    def total(features, label, weight):
        return loss(features, label, jnp.arange(B) % N, weight).sum()

    placed = jax.device_put((features, label, weight), shared_out())
    text = jax.jit(jax.grad(total)).lower(*placed).compile().as_text()
    assert "all-gather" in text
    assert not re.search("all-to-all|collective-permute", text)


def test_computed_anew_on_the_way_back_it_is_the_same(cut):
    loss, given = LOSSES["ssc"]
    close(compiled(jax.checkpoint(loss))(*split(given)), compiled(loss)(*split(given)))


def pushed(z, place, weight):
    """A lopsided sum, pair after pair: the earlier is pushed otherwise than the later."""
    z, total = directions(z), np.zeros(weight.shape)
    for a in range(len(z)):
        for b in range(len(z)):
            cosine = z[a] @ z[b]
            total[a] += weight[b] * (np.exp(cosine) if place[a] < place[b] else cosine**3)
    return total


@pytest.mark.parametrize("block", [1, 4, 16])
def test_a_pair_sum_is_the_double_loop_and_its_gradient_the_slope(block, monkeypatch):
    monkeypatch.setattr(blocks, "AT_ONCE", 1)
    monkeypatch.setattr(blocks, "BLOCK", block)
    place, rng = np.arange(6), np.random.default_rng(3)
    weight, share = rng.uniform(size=(2, 6, 2)).astype(np.float32)
    x = rng.normal(size=(6, 3)).astype(np.float32)

    def push(cosine, a, b):
        return jnp.where(a < b, jnp.exp(cosine), cosine**3)

    def total(x):
        z = x / jnp.linalg.norm(x, axis=1, keepdims=True)
        sums = blocks.pair_sums(push, z, jnp.asarray(place), jnp.asarray(weight))
        return (sums * share).sum(), sums

    found, sums = jax.jit(jax.grad(total, has_aux=True))(x)
    np.testing.assert_allclose(sums, pushed(x, place, weight), rtol=1e-5)
    expected = slopes(lambda x: (pushed(x, place, weight) * share).sum(), x.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert np.abs(expected).max() > 0.1


def bytes_of(name, b, d=32):
    """Temporary memory of a loss and its gradient on a batch of ``b``, by its compilation alone."""
    loss, given = LOSSES[name]
    shapes = [
        jax.ShapeDtypeStruct((b, *((d,) * (x.ndim - 1))), x.dtype)
        if len(x) == B
        else jax.ShapeDtypeStruct((len(x), d), x.dtype)
        for x in given
    ]
    analysis = compiled(loss).lower(*split(shapes)).compile().memory_analysis()
    return analysis.temp_size_in_bytes


@pytest.mark.parametrize("name", ["fixclr", "ssc", "calibration"])
def test_memory_grows_with_the_batch_and_not_with_its_pairs(name):
    small, large = bytes_of(name, 4096), bytes_of(name, 8192)
    assert large < 2**1.1 * small
    # One array of all pairs would alone be larger.
    assert large < 4 * 8192**2 / 4
