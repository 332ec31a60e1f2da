import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolution import convolved, recorded
from flax import nnx

from jaxclr.models import wide_resnet
from jaxclr.models.wide_resnet import PreActivationBlock, WideResNet


def variables(model: WideResNet, k: int):
    module = nnx.eval_shape(lambda: model.module(k, jnp.float32))
    _, params, stats = nnx.split(module, nnx.Param, ...)
    return nnx.to_pure_dict(params), nnx.to_pure_dict(stats)


def count(tree) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))


def formula(widths: list[int], k: int) -> int:
    """Kernels, a scale and a shift before each, and the linear head, by hand."""
    total, before = 9 * 3 * 16, 16
    for width in widths:
        for inputs in (before, width, width, width):
            total += 2 * inputs + 9 * inputs * width + 2 * width + 9 * width * width
        total += before * width
        before = width
    return total + 2 * before + before * k + k


@pytest.mark.parametrize(
    ("model", "widths", "published"),
    [
        # The numbers that the literature gives are 1.47, 5.9 and 23.4 million.
        (WideResNet(), [32, 64, 128], 1.47e6),
        (WideResNet(37), [32, 64, 128, 256], 5.9e6),
        (WideResNet(28, 128), [128, 256, 512], 23.4e6),
        (WideResNet(28, 5), [5, 10, 20], None),
    ],
    ids=str,
)
def test_it_has_as_many_parameters_as_its_layers_say(model, widths, published):
    params, stats = variables(model, 10)
    assert count(params) == formula(widths, 10)
    assert published is None or count(params) == pytest.approx(published, rel=0.01)
    scales = jax.tree_util.tree_leaves_with_path(params["backbone"])
    assert count(stats) == 2 * count([x for path, x in scales if path[-1].key == "scale"])


def test_wrn_28_2_has_1467610_parameters_with_ten_classes():
    assert count(variables(WideResNet(), 10)[0]) == 1_467_610


@pytest.mark.parametrize(
    ("depth", "convolutions", "sides"),
    [
        # Beside the stem, two to a block and one to each shortcut that projects.
        (28, 1 + 12 * 2 + 3, {32, 16, 8}),
        (37, 1 + 16 * 2 + 4, {32, 16, 8, 4, 2}),
    ],
)
def test_its_depth_counts_convolutions_and_each_group_after_the_first_halves_the_side(
    depth, convolutions, sides, monkeypatch
):
    made = recorded(monkeypatch)

    def call(x):
        return WideResNet(depth).layers(jnp.float32)[0](x, groups=2, train=True)

    x = jax.ShapeDtypeStruct((4, 32, 32, 3), jnp.float32)
    out = jax.eval_shape(call, x)
    assert len(made) == convolutions == depth
    assert {each.out[1] for each in made} == sides
    assert out.shape == (4, 128 if depth == 28 else 256)


@pytest.mark.parametrize(
    ("model", "side", "width"),
    [(WideResNet(), 32, 128), (WideResNet(37), 96, 256), (WideResNet(37, 3), 33, 24)],
    ids=str,
)
def test_features_are_as_wide_as_the_last_group(model, side, width):
    def call(x):
        backbone, told = model.layers(jnp.float32)
        assert told == width
        return backbone(x, groups=1, train=False)

    x = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    assert jax.eval_shape(call, x).shape == (2, width)


def activated(x: np.ndarray, params, stats) -> np.ndarray:
    """Batch norm by running statistics, then a tenth of what is negative."""
    scale = params["scale"] / np.sqrt(stats["var"] + 1e-3)
    x = (x - stats["mean"]) * scale + params["bias"]
    return np.where(x > 0, x, 0.1 * x)


def block_by_hand(x, params, stats, stride, projects):
    """A block as it is drawn in the paper: norm, activation, convolution, twice, and a sum."""
    first = activated(x, params["bn1"], stats["bn1"])
    if projects:
        x = convolved(first, params["shortcut"]["kernel"], stride)
    out = convolved(first, params["conv1"]["kernel"], stride)
    out = activated(out, params["bn2"], stats["bn2"])
    return x + convolved(out, params["conv2"]["kernel"], 1)


def drawn(module: nnx.Module):
    """The module as a jitted function of an image, and arrays drawn for it.

    Unlike the initial ones, which are 0 and 1 and would hide where they are used.
    """
    rng = np.random.default_rng(0)
    graph, *parts = nnx.split(module, nnx.Param, ...)

    def draw(x):
        if x.ndim == 4:
            return (rng.normal(size=x.shape) / np.sqrt(x.size / x.shape[3])).astype(np.float32)
        return rng.uniform(0.3, 1.0, x.shape).astype(np.float32)

    params, stats = (jax.tree.map(draw, nnx.to_pure_dict(part)) for part in parts)
    call = jax.jit(lambda p, s, x: nnx.merge(graph, p, s)(x, groups=1, train=False))
    return lambda x: call(params, stats, x), params, stats


@pytest.mark.parametrize(
    ("inputs", "outputs", "stride", "size"),
    [(3, 3, 1, 5), (2, 4, 2, 6), (2, 3, 1, 5), (3, 3, 2, 5)],
)
def test_a_block_is_norm_activation_convolution_twice_and_a_shortcut(inputs, outputs, stride, size):
    call, params, stats = drawn(PreActivationBlock(inputs, outputs, stride, 0.999, jnp.float32))
    projects = stride == 2 or inputs != outputs
    assert ("shortcut" in params) == projects
    x = np.random.default_rng(1).normal(size=(2, size, size, inputs)).astype(np.float32)
    expected = block_by_hand(x, params, stats, stride, projects)
    np.testing.assert_allclose(call(x), expected, rtol=1e-4, atol=1e-5)


def trained(network, groups: int = 1):
    """What the whole network, as it was built, makes of images in training."""
    call = jax.jit(lambda p, s, x: network(p, s, x, groups=groups, train=True))
    return lambda x: call(network.params, network.stats, x)


@pytest.fixture
def shallow(monkeypatch):
    """One block a group: what is computed stays cheap to compile."""
    monkeypatch.setattr(wide_resnet, "BLOCKS", 1)


@pytest.mark.parametrize(("depth", "strides"), [(28, (1, 2, 2)), (37, (2, 2, 2, 2))])
def test_it_is_a_convolution_groups_of_blocks_an_activation_and_a_mean(shallow, depth, strides):
    call, params, stats = drawn(WideResNet(depth, 4).layers(jnp.float32)[0])
    images = np.random.default_rng(2).normal(size=(2, 12, 12, 3)).astype(np.float32)
    x = convolved(images, params["conv1"]["kernel"], 1)
    for group, stride in enumerate(strides, 1):
        name = f"group{group}_0"
        x = block_by_hand(x, params[name], stats[name], stride, True)
    expected = activated(x, params["bn1"], stats["bn1"]).mean((1, 2))
    np.testing.assert_allclose(call(images), expected, rtol=1e-4, atol=1e-5)


def test_one_batch_moves_running_statistics_by_a_thousandth(shallow):
    network = WideResNet(width=4).build(3, seed=0)
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    _, stats = trained(network)(x)
    stem = convolved(x, network.params["backbone"]["conv1"]["kernel"], 1).reshape(-1, 16)
    seen = stats["backbone"]["group1_0"]["bn1"]
    np.testing.assert_allclose(seen["mean"], 0.001 * stem.mean(0), rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(seen["var"], 0.999 + 0.001 * stem.var(0, ddof=1), rtol=1e-5)


def test_momentum_is_that_of_every_batch_norm():
    module = WideResNet(width=4, momentum=0.8).layers(jnp.float32)[0]
    norms = [m for _, m in nnx.iter_graph(module) if isinstance(m, wide_resnet.BatchNorm)]
    assert len(norms) == 2 * 12 + 1
    assert {(m.momentum, m.epsilon) for m in norms} == {(0.8, 1e-3)}


def test_domains_are_kept_apart_unless_pooled(shallow):
    x = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)
    brighter = x.copy()
    brighter[::2] = 3 * brighter[::2] + 1
    for norm, apart in (("domain", True), ("pooled", False)):
        network = WideResNet(width=4, norm=norm).build(3, seed=0)
        call = trained(network, groups=2)
        (before, _), (after, _) = call(x), call(brighter)
        assert np.isfinite(after.logits).all()
        assert np.allclose(before.logits[1::2], after.logits[1::2], atol=1e-5) == apart


def test_half_precision_comes_close_and_keeps_weights_single(shallow):
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    found = {}
    for dtype in (jnp.float32, jnp.bfloat16):
        network = WideResNet(width=4).build(3, seed=0, dtype=dtype)
        kept = {leaf.dtype for leaf in jax.tree.leaves((network.params, network.stats))}
        assert kept == {np.dtype(np.float32)}
        found[dtype] = trained(network)(jnp.asarray(x, dtype))[0].features
    assert found[jnp.bfloat16].dtype == jnp.bfloat16
    np.testing.assert_allclose(
        found[jnp.bfloat16].astype(jnp.float32), found[jnp.float32], atol=0.1
    )


def test_settings_read_back_from_their_repr():
    model = WideResNet(37, norm="pooled")
    assert dataclasses.replace(model, depth=28) == WideResNet(norm="pooled")
    assert hash(model) == hash(WideResNet(37, norm="pooled"))
