import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolution import convolved, recorded
from flax import nnx

from jaxclr.models import resnet
from jaxclr.models.resnet import BasicBlock, ResNet

# Of torchvision's, by its documentation, with 1000 classes.
PARAMETERS = {18: 11_689_512, 34: 21_797_672}


def variables(model: ResNet, k: int):
    module = nnx.eval_shape(lambda: model.module(k, jnp.float32))
    _, params, stats = nnx.split(module, nnx.Param, ...)
    return nnx.to_pure_dict(params), nnx.to_pure_dict(stats)


def count(tree) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("depth", [18, 34])
def test_it_has_as_many_parameters_as_torchvisions(depth):
    params, stats = variables(ResNet(depth), 1000)
    assert count(params) == PARAMETERS[depth]
    # Each channel that has a scale and a shift has a mean and a variance.
    scales = jax.tree_util.tree_leaves_with_path(params["backbone"])
    assert count(stats) == 2 * count([x for path, x in scales if path[-1].key == "scale"])


def test_the_small_stem_has_a_smaller_kernel_and_nothing_else():
    small, _ = variables(ResNet(stem="small"), 7)
    large, _ = variables(ResNet(), 7)
    assert count(large) - count(small) == (7 * 7 - 3 * 3) * 3 * 64
    assert count(large) == PARAMETERS[18] - 993 * 513
    assert jax.tree.structure(small) == jax.tree.structure(large)


def outputs(model: ResNet, k: int, b: int, side: int):
    """What comes out, without weights and without computing anything."""

    def call(x):
        return model.module(k, jnp.float32)(x, groups=2, train=True)

    x = jax.ShapeDtypeStruct((b, side, side, 3), jnp.float32)
    return jax.eval_shape(call, x)


def test_it_strides_where_torchvisions_does(monkeypatch):
    # torchvision's ResNet-18 makes 1.81 billion at 224 px; a stride misplaced is many more or
    # less. By stages: stem, layer1, three more alike, head.
    made = recorded(monkeypatch)
    out = outputs(ResNet(), 1000, 2, 224)
    stem, first, others = 112**2 * 64 * 147, 4 * 56**2 * 64 * 576, 411_041_792
    assert stem + first + 3 * others + 512_000 == 1_814_073_344
    found = sum(each.multiplications for each in made) + out.logits.size * 512
    assert found == 2 * 1_814_073_344
    assert out.logits.shape == (2, 1000) and out.features.shape == (2, 512)


@pytest.mark.parametrize(("stem", "side"), [("small", 32), ("imagenet", 64), ("imagenet", 37)])
def test_features_are_512_wide_whatever_the_size(stem, side):
    out = outputs(ResNet(stem=stem), 5, 4, side)
    assert out.features.shape == (4, 512) and out.logits.shape == (4, 5)


@pytest.mark.parametrize(
    ("inputs", "outputs", "stride", "size"),
    [(3, 3, 1, 5), (2, 4, 2, 6), (2, 3, 1, 5)],
)
def test_a_block_is_two_convolutions_and_a_shortcut(inputs, outputs, stride, size):
    block = BasicBlock(inputs, outputs, stride, jnp.float32)
    graph, params, stats = nnx.split(block, nnx.Param, ...)
    rng = np.random.default_rng(0)

    def drawn(tree):
        tree = nnx.to_pure_dict(tree)
        return jax.tree.map(
            lambda x: rng.uniform(-1 if x.ndim == 4 else 0.3, 1.0, x.shape).astype(np.float32), tree
        )

    params, stats = drawn(params), drawn(stats)
    x = rng.normal(size=(2, size, size, inputs)).astype(np.float32)
    call = jax.jit(lambda p, s, x: nnx.merge(graph, p, s)(x, groups=1, train=False))
    found = call(params, stats, x)

    def norm(x, name):
        affine, seen = params[name], stats[name]
        scale = affine["scale"] / np.sqrt(seen["var"] + 1e-5)
        return (x - seen["mean"]) * scale + affine["bias"]

    out = np.maximum(norm(convolved(x, params["conv1"]["kernel"], stride), "bn1"), 0)
    out = norm(convolved(out, params["conv2"]["kernel"], 1), "bn2")
    projects = "downsample_conv" in params
    assert projects == (stride == 2 or inputs != outputs)
    if projects:
        x = norm(convolved(x, params["downsample_conv"]["kernel"], stride), "downsample_bn")
    np.testing.assert_allclose(found, np.maximum(out + x, 0), rtol=1e-3, atol=1e-4)


@pytest.fixture
def shallow(monkeypatch):
    """One block a stage: what is computed stays cheap to compile."""
    monkeypatch.setitem(resnet.STAGES, 18, (1, 1, 1, 1))


def test_domains_are_kept_apart_unless_pooled(shallow):
    x = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)
    brighter = x.copy()
    brighter[::2] = 3 * brighter[::2] + 1
    for norm, apart in (("domain", True), ("pooled", False)):
        network = ResNet(stem="small", norm=norm).build(3, seed=0)
        start = network[1:3]
        call = jax.jit(lambda x, net=network, start=start: net(*start, x, groups=2, train=True)[0])
        before, after = call(x), call(brighter)
        assert np.isfinite(after.logits).all()
        assert np.allclose(before.logits[1::2], after.logits[1::2], atol=1e-5) == apart
