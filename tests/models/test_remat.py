"""Backbones whose blocks are computed again on the way back, against the same that keep all."""

import dataclasses
import functools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.models.chunks import compiler_options
from jaxclr.models.convnet import ConvNet
from jaxclr.models.resnet import ResNet
from jaxclr.models.vit import Vit
from jaxclr.models.wide_resnet import WideResNet

DOMAINS, SIZE = 2, 16
MODELS = {
    "convnet": ConvNet(width=4, size=SIZE),
    "vit": Vit(width=16, depth=2, heads=2, patch=4, size=SIZE),
    "resnet": ResNet(stem="small"),
    "wide": WideResNet(width=4),
}
BLOCKS = {"convnet": 4, "vit": 2, "resnet": 1 + 8, "wide": 12}
SMALL = ("convnet", "vit")


def some(names):
    """Those names, of which only the small ones' models are fast to compile."""
    return [n if n in SMALL else pytest.param(n, marks=pytest.mark.slow) for n in names]


def images(rows):
    shade = np.arange(DOMAINS * rows) % DOMAINS
    noise = np.random.default_rng(0).normal(size=(DOMAINS * rows, SIZE, SIZE, 3))
    return (noise + shade[:, None, None, None]).astype(np.float32)


def slopes(name, remat, chunks=1):
    """From parameters and images to a loss, its gradient, and the running statistics; and from."""
    network = dataclasses.replace(MODELS[name], remat=remat).build(2, seed=1)

    def loss(params, images):
        seen, stats = network(
            params, network.stats, images, groups=DOMAINS, train=True, chunks=chunks
        )
        return jax.nn.logsumexp(seen.features @ seen.features.T / 10), stats

    return jax.value_and_grad(loss, has_aux=True), network.params


@functools.cache
def compiled(name, remat, chunks=1):
    run, params = slopes(name, remat, chunks)
    return jax.jit(run).lower(params, images(16)).compile(compiler_options()), params


@pytest.mark.parametrize("name", some(MODELS))
def test_the_gradient_and_what_is_recorded_are_the_same(name):
    (run, params), (again, _) = compiled(name, False), compiled(name, True)
    (value, stats), slope = run(params, images(16))
    (same, recorded), other = again(params, images(16))
    np.testing.assert_allclose(same, value, rtol=1e-6)
    chex.assert_trees_all_close(recorded, stats, rtol=1e-6, atol=1e-7)
    # Sums are taken in another order, which the many layers of the larger ones add up.
    near = 1e-6 if name in SMALL else 5e-5
    largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(slope))
    chex.assert_trees_all_close(other, slope, rtol=near, atol=near * largest)


def memory(name, remat, chunks=1):
    return compiled(name, remat, chunks)[0].memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("name", some(["vit", "resnet", "wide"]))
def test_less_memory_is_needed(name):
    assert memory(name, True) < 0.8 * memory(name, False)


def test_with_chunks_less_memory_is_needed_than_with_either():
    both = memory("vit", True, 2)
    assert both < 0.8 * memory("vit", True)
    assert both < 0.8 * memory("vit", False, 2)


@pytest.mark.parametrize("name", MODELS)
def test_every_block_is_computed_again_if_asked(name):
    def count(remat):
        network = dataclasses.replace(MODELS[name], remat=remat).build(2, seed=1)

        def features(images):
            how = {"groups": DOMAINS, "train": True}
            return network(network.params, network.stats, images, **how)[0].features

        text = str(jax.make_jaxpr(features)(images(1)))
        return len(re.findall(r"(?:checkpoint|remat2?)\[", text))

    assert (count(False), count(True)) == (0, BLOCKS[name])
