import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolution import convolved, recorded
from flax import nnx

from jaxclr.models.resnet import Bottleneck, ResNet
from jaxclr.models.weights import load_resnet

# Of torchvision's, by its documentation, with 1000 classes.
PARAMETERS = 25_557_032
BLOCKS = (3, 4, 6, 3)


@functools.lru_cache
def trees(k: int = 1000):
    """Its parameters and statistics as shapes."""
    module = nnx.eval_shape(lambda: ResNet(50).module(k, jnp.float32))
    _, params, stats = nnx.split(module, nnx.Param, ...)
    return nnx.to_pure_dict(params), nnx.to_pure_dict(stats)


def count(tree) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))


def convolutions() -> dict[str, tuple[int, int, int, int, int]]:
    """Of each convolution: channels in and out, side of its kernel, stride, side of its maps.

    By the paper's table for 224 px, with the stride in the 3 x 3 convolution.
    """
    found = {"conv1": (3, 64, 7, 2, 112)}
    inputs, side = 64, 56
    for stage, blocks in enumerate(BLOCKS):
        width = 64 << stage
        for i in range(blocks):
            name, stride = f"layer{stage + 1}.{i}", 2 if stage and i == 0 else 1
            out = side // stride
            found[f"{name}.conv1"] = (inputs, width, 1, 1, side)
            found[f"{name}.conv2"] = (width, width, 3, stride, out)
            found[f"{name}.conv3"] = (width, 4 * width, 1, 1, out)
            if i == 0:
                found[f"{name}.downsample.0"] = (inputs, 4 * width, 1, stride, out)
            inputs, side = 4 * width, out
    return found


def norm_of(conv: str) -> str:
    """The batch norm that follows a convolution, in torchvision's names."""
    return conv.removesuffix("0") + "1" if "downsample" in conv else conv.replace("conv", "bn")


def test_it_has_as_many_parameters_as_torchvisions():
    params, stats = trees()
    assert count(params) == PARAMETERS
    channels = sum(outputs for _, outputs, *_ in convolutions().values())
    assert count(stats) == 2 * channels


def test_it_strides_in_the_3x3_convolutions_as_torchvisions_does(monkeypatch):
    # 4.09 billion multiplications at 224 px; with the stride in the first 1 x 1 they are 3.86.
    def call(x):
        return ResNet(50).module(1000, jnp.float32)(x, groups=1, train=False)

    x = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    found = recorded(monkeypatch)
    out = jax.eval_shape(call, x)
    made = [(*each.kernel[2:], each.kernel[0], each.stride, each.out[1]) for each in found]
    assert sorted(made) == sorted(convolutions().values())
    total = sum(i * o * k * k * s * s for i, o, k, _, s in made) + 2048 * 1000
    assert total == 4_089_184_256
    assert out.features.shape == (1, 2048) and out.logits.shape == (1, 1000)


@pytest.mark.parametrize(
    ("inputs", "width", "stride", "size"), [(12, 3, 1, 5), (4, 2, 2, 6), (2, 2, 1, 4)]
)
def test_a_block_is_three_convolutions_and_a_shortcut(inputs, width, stride, size):
    block = Bottleneck(inputs, width, stride, jnp.float32)
    graph, params, stats = nnx.split(block, nnx.Param, ...)
    rng = np.random.default_rng(0)

    def drawn(tree):
        return jax.tree.map(
            lambda x: rng.uniform(-1 if x.ndim == 4 else 0.3, 1.0, x.shape).astype(np.float32),
            nnx.to_pure_dict(tree),
        )

    params, stats = drawn(params), drawn(stats)
    x = rng.normal(size=(2, size, size, inputs)).astype(np.float32)
    call = jax.jit(lambda p, s, x: nnx.merge(graph, p, s)(x, groups=1, train=False))
    found = call(params, stats, x)

    def norm(x, name):
        scale = params[name]["scale"] / np.sqrt(stats[name]["var"] + 1e-5)
        return (x - stats[name]["mean"]) * scale + params[name]["bias"]

    out = np.maximum(norm(convolved(x, params["conv1"]["kernel"], 1), "bn1"), 0)
    out = np.maximum(norm(convolved(out, params["conv2"]["kernel"], stride), "bn2"), 0)
    out = norm(convolved(out, params["conv3"]["kernel"], 1), "bn3")
    assert ("downsample_conv" in params) == (stride == 2 or inputs != 4 * width)
    if "downsample_conv" in params:
        x = norm(convolved(x, params["downsample_conv"]["kernel"], stride), "downsample_bn")
    np.testing.assert_allclose(found, np.maximum(out + x, 0), rtol=1e-3, atol=1e-4)


def test_torchvision_s_names_and_shapes_are_all_that_it_takes():
    k, arrays = 7, {}
    for name, (inputs, outputs, side, *_) in convolutions().items():
        arrays[f"{name}.weight"] = (outputs, inputs, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            arrays[f"{norm_of(name)}.{part}"] = (outputs,)
    shapes = arrays | {"fc.weight": (k, 2048), "fc.bias": (k,)}
    filled = {
        name: np.broadcast_to(np.float32(i + 1), shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    params, stats = trees(k)
    loaded = load_resnet(filled, params, stats)
    leaves = jax.tree.leaves((loaded.params, loaded.stats))
    assert {leaf.flat[0] for leaf in leaves} == {x.flat[0] for x in filled.values()}
    assert len(leaves) == len(filled)
    total = PARAMETERS - 2049 * (1000 - k)
    assert loaded.report.startswith(f"{total:,} of {total:,} parameters and 53,120 of 53,120 ")
    block = loaded.params["backbone"]["layer3_5"]
    assert block["conv3"]["kernel"].flat[0] == filled["layer3.5.conv3.weight"].flat[0]
    assert block["bn3"]["scale"].flat[0] == filled["layer3.5.bn3.weight"].flat[0]
