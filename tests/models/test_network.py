import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Linear, NoProjector
from jaxclr.models.network import PureNetwork
from jaxclr.models.resnet import ResNet

SMALL = ConvNet(width=4, size=16)
B, K = 6, 3


def images(seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(B, 16, 16, 3)), jnp.float32)


@functools.lru_cache
def built(model=SMALL, seed=0, dtype=jnp.float32) -> PureNetwork:
    return model.build(K, seed=seed, dtype=dtype)


@functools.lru_cache
def program(model=SMALL, groups=1, train=True, dtype=jnp.float32):
    network = built(model, dtype=dtype)
    return jax.jit(functools.partial(network, groups=groups, train=train))


def run(images, model=SMALL, **how):
    network = built(model, dtype=how.get("dtype", jnp.float32))
    return program(model, **how)(network.params, network.stats, images)


def same(one, other) -> bool:
    return jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), one, other))


def leaves(tree) -> dict[str, np.ndarray]:
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return {"/".join(str(p.key) for p in path): leaf for path, leaf in paths}


def test_a_seed_fixes_the_initial_weights_and_another_changes_every_kernel():
    first, again, other = (leaves(SMALL.build(K, seed=seed).params) for seed in (1, 1, 2))
    assert same(first, again)
    kernels = [name for name in first if name.endswith("kernel")]
    assert len(kernels) == 5
    assert not any(np.array_equal(first[name], other[name]) for name in kernels)
    assert len({first[name].ravel()[:9].tobytes() for name in kernels}) == 5


def test_weights_start_as_in_torchvision():
    params = leaves(built(ResNet()).params)
    for name, values in params.items():
        part = name.split("/")[-1]
        if part == "kernel" and values.ndim == 4:
            side, outputs = values.shape[0], values.shape[3]
            # He et al., by fan-out.
            spread = np.sqrt(2 / (side * side * outputs))
            assert values.std() == pytest.approx(spread, rel=0.05), name
            assert abs(values.mean()) < 5 * spread / np.sqrt(values.size), name
        elif part == "kernel":
            assert values.shape == (512, K)
            bound = 1 / np.sqrt(512)
            assert np.abs(values).max() <= bound
            assert values.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
        else:
            assert (values == {"scale": 1, "bias": 0}[part]).all(), name
    stats = leaves(built(ResNet()).stats)
    assert {name.split("/")[-1] for name in stats} == {"mean", "var"}
    assert all((v == name.endswith("var")).all() for name, v in stats.items())


def test_parameters_are_those_of_backbone_and_head():
    assert sorted(built().params) == ["backbone", "head"]
    assert built().params["head"]["kernel"].shape == (4, K)


@pytest.mark.parametrize("train", [True, False])
def test_the_head_is_linear_in_the_features_that_are_also_the_embedding(train):
    prediction, _ = run(images(), train=train)
    head = built().params["head"]
    assert prediction.logits.shape == (B, K) and prediction.features.shape == (B, 4)
    np.testing.assert_array_equal(prediction.embedding, prediction.features)
    expected = np.asarray(prediction.features) @ head["kernel"] + head["bias"]
    np.testing.assert_allclose(prediction.logits, expected, rtol=1e-4, atol=1e-6)


def test_statistics_move_in_training_only():
    before = built().stats
    _, trained = run(images())
    _, evaluated = run(images(), train=False)
    assert same(evaluated, before)
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), trained, before)
    assert all(jax.tree.leaves(moved))
    assert jax.tree.structure(trained) == jax.tree.structure(before)


def test_calling_it_changes_nothing_it_was_given():
    network = SMALL.build(K, seed=0)
    params, stats = (jax.tree.map(np.copy, tree) for tree in network[1:3])
    first, moved = network(params, stats, images(), groups=2, train=True)
    again, _ = network(params, stats, images(), groups=2, train=True)
    assert same(first, again)
    assert same(params, network.params) and same(stats, network.stats)
    assert not same(moved, stats)


def test_evaluation_uses_the_statistics_given():
    network = built()
    _, moved = run(images())
    evaluate = program(train=False)
    fresh, _ = evaluate(network.params, network.stats, images(1))
    worn, _ = evaluate(network.params, moved, images(1))
    assert not np.allclose(fresh.features, worn.features)


def test_domain_norm_keeps_domains_apart_and_pooled_norm_does_not():
    x = images()
    brighter = x.at[::2].multiply(3.0).at[::2].add(1.0)
    pooled = dataclasses.replace(SMALL, norm="pooled")
    for model, apart in ((SMALL, True), (pooled, False)):
        before, _ = run(x, model, groups=2)
        after, _ = run(brighter, model, groups=2)
        unmoved = np.allclose(before.logits[1::2], after.logits[1::2], rtol=1e-5, atol=1e-6)
        assert unmoved == apart


def test_domain_norm_is_each_domain_by_itself_one_after_the_other():
    x, network = images(), built()
    together, stats = run(x, groups=2)
    alone = dict.fromkeys(range(2))
    after = network.stats
    for domain in range(2):
        alone[domain], after = program()(network.params, after, x[domain::2])
    for domain in range(2):
        np.testing.assert_allclose(
            together.logits[domain::2], alone[domain].logits, rtol=1e-4, atol=1e-5
        )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), stats, after)


def test_pooled_norm_is_domain_norm_of_a_single_domain():
    pooled = dataclasses.replace(SMALL, norm="pooled")
    assert same(run(images(), pooled, groups=3), run(images(), SMALL, groups=1))


def test_in_evaluation_both_norms_agree_whatever_the_groups():
    pooled = dataclasses.replace(SMALL, norm="pooled")
    one = run(images(), SMALL, groups=3, train=False)
    other = run(images(), pooled, groups=2, train=False)
    for found, expected in zip(*map(jax.tree.leaves, (one, other)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_half_precision_is_for_what_flows_and_not_for_what_stays():
    network = built(dtype=jnp.bfloat16)
    single = {np.dtype(np.float32)}
    assert {leaf.dtype for leaf in jax.tree.leaves((network.params, network.stats))} == single
    assert same(network.params, built().params)
    prediction, stats = run(images().astype(jnp.bfloat16), dtype=jnp.bfloat16)
    assert {x.dtype for x in prediction[:3]} == {jnp.dtype(jnp.bfloat16)}
    assert {leaf.dtype for leaf in jax.tree.leaves(stats)} == single
    exact, _ = run(images())
    np.testing.assert_allclose(prediction.logits.astype(jnp.float32), exact.logits, atol=0.2)


@pytest.mark.parametrize(
    "model", [SMALL, ConvNet(), ResNet(), ResNet(34, "small", norm="pooled")], ids=str
)
def test_settings_read_back_from_their_repr_and_can_be_keys(model):
    again = eval(
        repr(model),
        {kind.__name__: kind for kind in (ConvNet, ResNet, Linear, NoProjector)},
    )
    assert again == model and hash(again) == hash(model)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.norm = "pooled"
