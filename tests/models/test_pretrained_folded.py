"""Batch norm that was folded into convolutions comes back from images."""

import functools

import folded_arrays as witness
import jax
import numpy as np
import pytest

from jaxclr.errors import InputError
from jaxclr.models import resnet
from jaxclr.models.network import PureNetwork
from jaxclr.models.pretrained import pretrained
from jaxclr.models.resnet import ResNet
from jaxclr.models.restore import is_folded, unfolded

K = 3
NEW = ("layer4.0.conv1", "layer4.0.conv2")
PARTIAL = ResNet(allow_partial=True)


@pytest.fixture(scope="module", autouse=True)
def shallow():
    """One block a stage: what is computed stays cheap to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(resnet.STAGES, 18, (1, 1, 1, 1))
        yield


def images(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(6, 32, 32, 3)) + rng.normal(size=3)).astype(np.float32)


@functools.lru_cache
def original() -> dict[str, np.ndarray]:
    """A network whose running statistics are those of the images."""
    return witness.with_statistics(witness.drawn(K), images())


def put_in(folder, arrays, model=PARTIAL, shown=images) -> tuple[PureNetwork, str]:
    np.savez(folder / "weights.npz", **witness.single(arrays))
    weights = str(folder / "weights.npz")
    network, origin = pretrained(
        model, model.build(K, seed=0), shown, weights=weights, target="photo", seed=1
    )
    return network, origin.loaded


@pytest.fixture(scope="module")
def restored(tmp_path_factory, shallow):
    whole = ResNet()
    return put_in(tmp_path_factory.mktemp("whole"), witness.folded(original()), whole)


@pytest.fixture(scope="module")
def say(restored):
    """Logits of a network of this shape, compiled once for each way."""
    network, _ = restored

    @functools.partial(jax.jit, static_argnames="train")
    def call(params, stats, x, train):
        return network(params, stats, x, groups=1, train=train)[0].logits

    return lambda of, x, train=False: call(of.params, of.stats, x, train)


def leaves(network: PureNetwork, conv: str) -> dict[str, np.ndarray]:
    """What follows a convolution here."""
    *block, last = witness.norm_of(conv).replace(".0.", "_0.").split(".")
    name = "downsample_bn" if "downsample" in block else last
    path = [*(part for part in block if part != "downsample"), name]
    trees = (network.params["backbone"], network.stats["backbone"])
    found = [functools.reduce(lambda tree, key: tree[key], path, tree) for tree in trees]
    return found[0] | found[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_restored_network_says_what_the_original_said_of_these_and_of_other_images(
    restored, say, seed
):
    expected = witness.evaluated(original(), images(seed))
    assert expected.std(0).min() > 0.05
    np.testing.assert_allclose(say(restored[0], images(seed)), expected, rtol=1e-3, atol=1e-3)


def test_in_training_too_on_the_images_that_it_was_restored_from(restored, say):
    expected = witness.evaluated(original(), images())
    found = say(restored[0], images(), train=True)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_shifts_are_the_original_ones_and_scales_but_for_their_sign(restored):
    """Since the statistics that were folded are those of the images."""
    for conv in witness.convolutions():
        here, norm = leaves(restored[0], conv), witness.norm_of(conv)
        np.testing.assert_allclose(here["bias"], original()[f"{norm}.bias"], atol=1e-3)
        scale, var = (original()[f"{norm}.{what}"] for what in ("weight", "running_var"))
        # What epsilon takes off the variance that is scaled, and adds to it.
        kept = var / (var + 1e-5) + 1e-5 / scale**2
        np.testing.assert_allclose(here["scale"], np.abs(scale) * np.sqrt(kept), rtol=1e-3)
        np.testing.assert_allclose(here["scale"], np.abs(scale), rtol=1e-2)
        assert (scale < 0).any() and (here["scale"] > 0).all()


def test_running_statistics_are_those_of_the_convolution_that_was_scaled(restored):
    for conv in witness.convolutions():
        here, norm = leaves(restored[0], conv), witness.norm_of(conv)
        mean, var = (original()[f"{norm}.running_{what}"] for what in ("mean", "var"))
        factor = original()[f"{norm}.weight"] / np.sqrt(var + 1e-5)
        np.testing.assert_allclose(here["mean"], factor * mean, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(here["var"], factor**2 * var, rtol=1e-3, atol=1e-5)


def test_the_report_counts_what_the_file_has_and_says_what_was_restored(restored):
    made = sum(outputs for outputs, *_ in witness.convolutions().values())
    total = sum(x.size for x in jax.tree.leaves(restored[0].params))
    told = restored[1]
    assert told.startswith(f"{total - made:,} of {total:,} parameters and 0 of {2 * made:,} ")
    assert told.endswith("into the convolutions, is restored from 6 images of the source domains.")


def without_some(arrays):
    """As a file that lost the 3 x 3 convolutions of the last stage, but not their biases."""
    return {n: x for n, x in arrays.items() if n not in {f"{conv}.weight" for conv in NEW}}


def test_of_a_partial_file_new_layers_start_as_new_and_know_the_images(tmp_path, say):
    arrays = witness.folded(original())
    found, told = put_in(tmp_path, without_some(arrays))
    for conv in NEW:
        kernel = found.params["backbone"]["layer4_0"][conv.split(".")[-1]]["kernel"]
        arrays[f"{conv}.weight"] = kernel.transpose(3, 2, 0, 1)
    seen = {}

    def norm(conv, x):
        if conv not in NEW:
            return x + arrays[f"{conv}.bias"]
        mean, var = seen[conv] = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - mean) / np.sqrt(var + 1e-5)

    expected = witness.logits(arrays, images(), norm)
    np.testing.assert_allclose(say(found, images()), expected, rtol=1e-3, atol=1e-3)
    for conv in NEW:
        here = leaves(found, conv)
        assert (here["scale"] == 1).all() and (here["bias"] == 0).all()
        np.testing.assert_allclose(here["mean"], seen[conv][0], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(here["var"], seen[conv][1], rtol=1e-3, atol=1e-5)
    assert "Left over: layer4.0.conv1.bias, layer4.0.conv2.bias." in told
    norms = [
        f"layer4.0.bn{i}.{part}"
        for i in (1, 2)
        for part in ("bias", "running_mean", "running_var", "weight")
    ]
    convs = [f"{conv}.weight" for conv in NEW]
    assert f"Missing: {', '.join([*norms, *convs])}." in told


def test_a_partial_file_is_refused_unless_that_is_allowed(tmp_path):
    with pytest.raises(InputError, match=r"weights\.npz: .*Missing: layer4.* allow that they are"):
        put_in(tmp_path, without_some(witness.folded(original())), ResNet())


def test_without_images_it_says_the_same_and_has_no_statistics(tmp_path, say):
    """As a frozen encoder does."""
    found, told = put_in(tmp_path, witness.folded(original()), shown=None)
    expected = witness.evaluated(original(), images(1))
    np.testing.assert_allclose(say(found, images(1)), expected, rtol=1e-3, atol=1e-3)
    here = leaves(found, "layer3.0.downsample.0")
    assert (here["mean"] == 0).all() and (here["var"] == 1).all()
    assert told.endswith("Batch norm is folded into the convolutions.")


def test_names_say_whether_batch_norm_is_folded():
    whole, fold = original(), witness.folded(original())
    vit = {"patch_embed.proj.weight": whole["conv1.weight"], "patch_embed.proj.bias": np.ones(64)}
    assert is_folded(fold) and is_folded(without_some(fold))
    assert not any(is_folded(arrays) for arrays in (whole, vit, {}, {"fc.bias": np.ones(3)}))


def test_unfolded_arrays_are_named_as_the_original_s(tmp_path):
    arrays, assumed = unfolded(witness.folded(original()))
    assert arrays.keys() == original().keys()
    made = {n for n in original() if n.endswith(("running_mean", "running_var"))}
    made |= {f"{witness.norm_of(conv)}.weight" for conv in witness.convolutions()}
    assert assumed == made
