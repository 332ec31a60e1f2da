"""Passes in chunks against the same passes in one."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxclr.errors import InputError
from jaxclr.models.chunks import Cut, compiler_options, refuse_misfit
from jaxclr.models.network import Model
from jaxclr.models.norm import BatchNorm
from jaxclr.models.vit import Vit

DOMAINS, ROWS, SIZE = 3, 16, 16


class OneLayer(nnx.Module):
    """The least there is of a convolutional network."""

    def __init__(self, normalised):
        self.conv = nnx.Conv(3, 8, (3, 3), rngs=nnx.Rngs(0))
        self.norm = BatchNorm(8) if normalised else None

    def __call__(self, x, *, groups, train):
        """The mean over maps."""
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x, groups=groups, train=train)
        return jax.nn.relu(x).mean((1, 2))


@dataclasses.dataclass(frozen=True)
class Least(Model):
    """Settings of one layer."""

    normalised: bool = True

    def layers(self, dtype):
        """The flax module."""
        return OneLayer(self.normalised), 8


MODELS = {
    "batch norm": Least(),
    "no batch norm": Least(normalised=False),
    "vit": Vit(width=16, depth=1, heads=2, patch=4, size=SIZE),
}
CHUNKS = {"batch norm": 2, "no batch norm": 4, "vit": 3}


def images():
    shade = np.arange(DOMAINS * ROWS) % DOMAINS
    noise = np.random.default_rng(0).normal(size=(DOMAINS * ROWS, SIZE, SIZE, 3))
    return (noise + shade[:, None, None, None]).astype(np.float32)


def coupled(features):
    """A loss in which the features of every image meet those of every other."""
    return jax.nn.logsumexp(features @ features.T / 10) + jnp.square(features).mean()


@functools.cache
def differentiated(name, chunks):
    """Compiled: from parameters and images to the loss, what is seen, and gradients in both."""
    network = MODELS[name].build(2, seed=1)

    def loss(params, images):
        seen, stats = network(
            params, network.stats, images, groups=DOMAINS, train=True, chunks=chunks
        )
        return coupled(seen.features), (seen.features, stats)

    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
    return run.lower(network.params, images()).compile(compiler_options()), network.params


@pytest.mark.parametrize("name", MODELS)
def test_chunks_see_record_and_move_what_the_pass_in_one_does(name):
    (run, params), (cut, _) = differentiated(name, 1), differentiated(name, CHUNKS[name])
    (value, seen), slopes = run(params, images())
    (again, same), others = cut(params, images())
    np.testing.assert_allclose(again, value, rtol=1e-6)
    chex.assert_trees_all_close(same, seen, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(others, slopes, strict=True):
        largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(theirs))
        chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-5 * largest)


def test_the_gradient_is_the_slope_of_the_loss():
    run, params = differentiated("no batch norm", 4)
    _, (slope, _) = run(params, images())
    length = jnp.sqrt(sum(jnp.sum(x**2) for x in jax.tree.leaves(slope)))
    ends = [
        run(jax.tree.map(lambda p, g, s=shift: p + s * g / length, params, slope), images())[0][0]
        for shift in (1e-2, -1e-2)
    ]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-2, length, rtol=5e-3)


@pytest.mark.parametrize("name", MODELS)
def test_the_more_chunks_the_less_memory(name):
    whole, cut = (
        differentiated(name, chunks)[0].memory_analysis().temp_size_in_bytes
        for chunks in (1, CHUNKS[name])
    )
    assert cut < {"batch norm": 0.8, "no batch norm": 0.45, "vit": 0.5}[name] * whole


def test_in_testing_nothing_is_cut():
    network = MODELS["batch norm"].build(2, seed=1)

    def text(chunks):
        def tested(images):
            return network(
                network.params, network.stats, images, groups=1, train=False, chunks=chunks
            )

        return str(jax.make_jaxpr(tested)(images()))

    assert text(3) == text(1)


@given(st.integers(1, 4), st.integers(1, 6), st.data())
@settings(deadline=None, max_examples=8, derandomize=True, database=None)
def test_parts_are_columns_of_every_row_and_the_whole_is_what_was_cut(rows, columns, data):
    chunks = data.draw(st.integers(1, columns))
    x = np.arange(rows * columns * 2).reshape(-1, 2)
    cut = Cut(columns, chunks)
    parts = cut.parts(jnp.asarray(x))
    np.testing.assert_array_equal(cut.whole(parts), x)
    assert max(cut.counts) - min(cut.counts) <= 1
    taken = 0
    for part, count in zip(parts, cut.counts, strict=True):
        own = [row for e, row in enumerate(x) if taken <= e % columns < taken + count]
        np.testing.assert_array_equal(part, own)
        taken += count


def backbone_of(name):
    return nnx.eval_shape(lambda: MODELS[name].layers(jnp.float32)[0])


def refused(name, match, **numbers):
    with pytest.raises(InputError, match=match):
        refuse_misfit(backbone_of(name), **{"domains": 3, "images": 12, "groups": 3, **numbers})


def test_chunks_that_cannot_be_are_refused_with_the_way_out():
    refused(
        "batch norm", r"chunks is 4.*each of the 3 source domains.*--chunks 3 or less", chunks=4
    )
    refused("batch norm", r"--model\.norm pooled .*whole batch.*--chunks 1", chunks=2, groups=1)
    refused("vit", r"--chunks is 5.* 12, is no multiple.*--batch-per-domain", chunks=5)


def test_chunks_that_can_be_are_not_refused():
    for name, chunks in (("batch norm", 2), ("batch norm", 1), ("no batch norm", 4), ("vit", 12)):
        refuse_misfit(backbone_of(name), chunks=chunks, groups=3, domains=3, images=12)
