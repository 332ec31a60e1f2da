import functools

import jax
import numpy as np
import pytest

from jaxclr.errors import InputError
from jaxclr.models.resnet import ResNet
from jaxclr.models.weights import load_resnet

K = 7
# Of torchvision's ResNet-18 by its documentation, with 1000 classes of 512 features and a bias.
PARAMETERS = 11_689_512
BODY = PARAMETERS - 1000 * 513


@functools.lru_cache
def network():
    return ResNet().build(K, seed=0)


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    four = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in four} | {f"{name}.num_batches_tracked": ()}


def torchvision_shapes(k: int = 1000) -> dict[str, tuple[int, ...]]:
    """What torchvision's ResNet-18 has, by the paper's table of its architecture."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), **norm("bn1", 64)}
    inputs = 64
    for stage, width in ((1, 64), (2, 128), (3, 256), (4, 512)):
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, inputs, 3, 3)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            shapes |= norm(f"{name}.bn1", width) | norm(f"{name}.bn2", width)
            if inputs != width:
                shapes[f"{name}.downsample.0.weight"] = (width, inputs, 1, 1)
                shapes |= norm(f"{name}.downsample.1", width)
            inputs = width
    return shapes | {"fc.weight": (k, 512), "fc.bias": (k,)}


@functools.lru_cache
def weights(k: int = 1000) -> dict[str, np.ndarray]:
    """Every array filled with a number of its own."""
    shapes = torchvision_shapes(k).items()
    return {name: np.full(shape, i + 1, np.float32) for i, (name, shape) in enumerate(shapes)}


def without(arrays, *names):
    return {name: x for name, x in arrays.items() if name not in names}


def load(arrays, **how):
    return load_resnet(arrays, network().params, network().stats, **how)


def leaf_of(loaded, name: str):
    """The leaf that a torchvision name means, found by hand."""
    *modules, part = name.split(".")
    if "downsample" in modules:
        modules = [*modules[:-2], {"0": "downsample_conv", "1": "downsample_bn"}[modules[-1]]]
    if modules[0].startswith("layer"):
        modules = [f"{modules[0]}_{modules[1]}", *modules[2:]]
    if modules == ["fc"]:
        return loaded.params["head"]["kernel" if part == "weight" else "bias"]
    if part.startswith("running_"):
        tree, part = loaded.stats, part.removeprefix("running_")
    else:
        normalises = modules[-1].startswith("bn") or modules[-1].endswith("_bn")
        tree = loaded.params
        part = {"weight": "scale" if normalises else "kernel"}.get(part, part)
    tree = tree["backbone"]
    for key in (*modules, part):
        tree = tree[key]
    return tree


def test_every_leaf_is_filled_once_and_by_the_array_of_its_name():
    arrays = weights(K)
    loaded = load(arrays)
    meant = [name for name in arrays if not name.endswith("num_batches_tracked")]
    for name in meant:
        leaf = leaf_of(loaded, name)
        assert (leaf == arrays[name].flat[0]).all(), name
        assert leaf.dtype == np.float32
    leaves = jax.tree.leaves((loaded.params, loaded.stats))
    assert len(leaves) == len(meant)
    assert len({leaf.flat[0] for leaf in leaves}) == len(meant)
    for after, before in ((loaded.params, network().params), (loaded.stats, network().stats)):
        assert jax.tree.structure(after) == jax.tree.structure(before)
        assert jax.tree.map(np.shape, after) == jax.tree.map(np.shape, before)


def test_kernels_and_head_are_turned_and_nothing_is_written_to():
    rng = np.random.default_rng(0)
    arrays = {**weights(K)}
    names = ("conv1.weight", "layer2.0.downsample.0.weight", "layer3.1.conv2.weight", "fc.weight")
    for name in names:
        arrays[name] = rng.normal(size=arrays[name].shape)
    before = jax.tree.map(np.copy, network().params)
    loaded = load(arrays)
    for name in names[:3]:
        kernel = leaf_of(loaded, name)
        for place in rng.integers(0, arrays[name].shape, (50, 4)):
            o, i, h, w = place
            assert kernel[h, w, i, o] == np.float32(arrays[name][o, i, h, w])
    head = loaded.params["head"]["kernel"]
    for d, k in np.ndindex(512, K):
        assert head[d, k] == np.float32(arrays["fc.weight"][k, d])
    jax.tree.map(np.testing.assert_array_equal, network().params, before)
    arrays |= {name: weights(K)[name].copy() for name in ("bn1.bias", "layer1.0.bn1.running_var")}
    loaded = load(arrays)
    for name in (*names, "bn1.bias", "layer1.0.bn1.running_var"):
        arrays[name][:] = 0
        assert leaf_of(loaded, name).all()


def test_the_report_counts_what_was_loaded():
    everything = BODY + K * 513
    whole = f"{everything:,} of {everything:,} parameters and 9,600 of 9,600 running statistics"
    assert load(weights(K)).report == f"{whole} loaded."
    report = load(weights()).report
    assert report.startswith(f"{BODY:,} of {everything:,} parameters and 9,600 of 9,600 running ")
    assert report.endswith("The head stays as it is: 1000 classes there, 7 here.")


@pytest.mark.parametrize("kind", ["other", "none", "not linear"])
def test_the_head_stays_where_it_does_not_fit(kind):
    params, arrays = network().params, weights()
    if kind == "none":
        arrays, reason = without(arrays, "fc.weight", "fc.bias"), "the file has none"
    elif kind == "not linear":
        head = {"mu": np.ones((K, 512)), "sigma": np.zeros((K, 512))}
        params, arrays, reason = params | {"head": head}, weights(K), "the network's is not linear"
    else:
        reason = "1000 classes there, 7 here"
    params = params | {"projector": {"hidden": {"kernel": np.ones((512, 9)), "bias": np.ones(9)}}}
    loaded = load_resnet(arrays, params, network().stats)
    assert f"The head stays as it is: {reason}." in loaded.report
    for part in ("head", "projector"):
        jax.tree.map(np.testing.assert_array_equal, loaded.params[part], params[part])
    assert (loaded.params["backbone"]["conv1"]["kernel"] == arrays["conv1.weight"].flat[0]).all()


def test_names_missing_or_left_over_are_all_named():
    gone = ("bn1.running_var", "fc.bias", "layer4.0.downsample.0.weight")
    arrays = without(weights(K), *gone) | {"conv1.bias": np.ones(64), "layer5.0.w": np.ones(3)}
    with pytest.raises(InputError) as caught:
        load(arrays)
    told = "Missing: " + ", ".join(gone) + ". Left over: conv1.bias, layer5.0.w."
    assert told in str(caught.value) and "allow that they are partial" in str(caught.value)
    loaded = load(arrays, allow_partial=True)
    assert loaded.report.endswith(told)
    lost = 7 + 512 * 256
    assert loaded.report.startswith(f"{BODY + K * 513 - lost:,} of {BODY + K * 513:,} parameters")
    assert "9,536 of 9,600 running statistics" in loaded.report
    for name in gone:
        np.testing.assert_array_equal(leaf_of(loaded, name), leaf_of(network(), name))
    assert (leaf_of(loaded, "bn1.weight") == arrays["bn1.weight"]).all()


def test_weights_of_which_nothing_fits_are_refused_even_where_they_may_be_partial():
    for arrays in ({}, {"0.weight": np.ones(3)}, {"bn1.num_batches_tracked": np.ones(())}):
        with pytest.raises(InputError, match=r"of another network\. Missing: bn1\.bias, "):
            load(arrays, allow_partial=True)


@pytest.mark.parametrize("allow_partial", [False, True])
def test_arrays_of_another_shape_are_all_named(allow_partial):
    arrays = {**weights(K), "conv1.weight": np.ones((64, 3, 3, 3)), "bn1.bias": np.ones((1, 64))}
    with pytest.raises(InputError) as caught:
        load(arrays, allow_partial=allow_partial)
    told = "bn1.bias is (64, 1), not (64,); conv1.weight is (3, 3, 3, 64), not (7, 7, 3, 64)."
    assert told in str(caught.value)
