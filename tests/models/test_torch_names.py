"""Weights in the names of torchvision and timm are what is read back from them."""

import jax
import numpy as np
import pytest

from jaxclr.models.heads import Mlp, Stochastic
from jaxclr.models.resnet import ResNet
from jaxclr.models.torch_names import for_torch
from jaxclr.models.vit import Vit
from jaxclr.models.weights import load

MODELS = {
    "resnet": ResNet(stem="small"),
    "vit": Vit(width=12, depth=2, heads=3, patch=4, size=16),
}


def shaken(tree, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), tree)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_is_read_back(name):
    model = MODELS[name]
    start = model.build(5, seed=0)
    params, stats = shaken(start.params, 1), shaken(start.stats, 2)
    found = for_torch(params, stats, model.naming)
    assert found.nameless == ()
    back = load(found.arrays, start.params, start.stats, naming=model.naming)
    jax.tree.map(np.testing.assert_array_equal, (back.params, back.stats), (params, stats))


def test_axes_are_in_the_order_of_torch():
    model = ResNet(stem="small")
    start = model.build(5, seed=0)
    found = for_torch(shaken(start.params, 1), start.stats, model.naming).arrays
    params = shaken(start.params, 1)
    kernel, there = params["backbone"]["conv1"]["kernel"], found["conv1.weight"]
    assert there.shape == (64, 3, 3, 3) and there.flags.c_contiguous
    for h, w, i, o in np.ndindex(kernel.shape):
        assert there[o, i, h, w] == kernel[h, w, i, o]
    head = params["head"]["kernel"]
    for i, o in np.ndindex(head.shape):
        assert found["fc.weight"][o, i] == head[i, o]


def test_what_torch_has_no_place_for_is_listed():
    model = ResNet(stem="small", projector=Mlp(), classifier=Stochastic())
    network = model.build(5, seed=0)
    found = for_torch(network.params, network.stats, model.naming)
    assert "fc.weight" not in found.arrays and "conv1.weight" in found.arrays
    assert set(found.nameless) == {
        "head/mu", "head/sigma", "projector/hidden/kernel", "projector/hidden/bias",
        "projector/out/kernel", "projector/out/bias",
    }  # fmt: skip
