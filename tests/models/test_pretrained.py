"""Weights by name: of files, of the hub, of finished runs."""

import hashlib
import sys
import types

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxclr.errors import InputError
from jaxclr.models import resnet
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Prototypes
from jaxclr.models.network import PureNetwork
from jaxclr.models.pretrained import Origin, pretrained
from jaxclr.models.resnet import ResNet
from jaxclr.models.store import write_own
from jaxclr.models.vit import Vit

VIT = Vit(width=4, depth=1, heads=2, patch=4, size=8)
SMALL = ConvNet(width=4, size=16)
K = 3


def start(model, weights, k=K, target="night", seed=1) -> tuple[PureNetwork, Origin]:
    network = model.build(k, seed=0)
    return pretrained(model, network, weights=str(weights), target=target, seed=seed)


def timm(model=VIT, k=K) -> dict[str, np.ndarray]:
    """Arrays of a network of other weights, as timm would name and turn them."""
    params = model.build(k, seed=9).params
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        turn = {4: (3, 2, 0, 1), 2: (1, 0)}.get(leaf.ndim)
        found[model.naming.name(path)] = np.ascontiguousarray(
            leaf.transpose(turn) if turn else leaf
        )
    return found


def equal(one, other) -> bool:
    return jax.tree.all(jax.tree.map(np.array_equal, one, other))


def with_hub(monkeypatch, fetch) -> None:
    hub = types.ModuleType("huggingface_hub")
    hub.hf_hub_download = fetch
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)


def test_a_repository_of_the_hub_is_fetched_and_its_file_loaded(tmp_path, monkeypatch):
    save_file(timm(), tmp_path / "model.safetensors")
    asked = []

    def fetch(*what):
        asked.append(what)
        return str(tmp_path / "model.safetensors")

    with_hub(monkeypatch, fetch)
    network, origin = start(VIT, "hf:timm/tiny.augreg")
    assert asked == [("timm/tiny.augreg", "model.safetensors")]
    assert equal(network.params, VIT.build(K, seed=9).params)
    data = (tmp_path / "model.safetensors").read_bytes()
    count = sum(x.size for x in jax.tree.leaves(network.params))
    assert origin == Origin(
        "hf:timm/tiny.augreg",
        hashlib.sha256(data).hexdigest(),
        f"{count:,} of {count:,} parameters and 0 of 0 running statistics loaded.",
    )


def test_without_the_hub_s_package_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install 'jaxclr\[hub\]'\. Or download its model\.s"):
        start(VIT, "hf:timm/tiny")


@pytest.mark.parametrize("error", [OSError("no route\nto host"), ValueError("no route"), OSError()])
def test_what_cannot_be_fetched_is_told_in_a_line(monkeypatch, error):
    def fetch(*_):
        raise error

    with_hub(monkeypatch, fetch)
    with pytest.raises(InputError) as caught:
        start(VIT, "hf:timm/tiny")
    told = str(caught.value)
    assert told.startswith("hf:timm/tiny cannot be fetched: ") and "\n" not in told
    assert "Is there a network" in told and ("no route" in told or "OSError" in told)


def test_the_head_comes_only_with_as_many_classes(tmp_path):
    np.savez(tmp_path / "w.npz", **timm(k=5))
    network, origin = start(VIT, tmp_path / "w.npz")
    assert equal(network.params["backbone"], VIT.build(5, seed=9).params["backbone"])
    assert equal(network.params["head"], VIT.build(K, seed=0).params["head"])
    assert origin.loaded.endswith("The head stays as it is: 5 classes there, 3 here.")


def test_what_a_file_lacks_or_has_too_much_is_named_with_the_file(tmp_path):
    arrays = timm() | {"dist_token": np.ones(4, np.float32)}
    del arrays["norm.bias"]
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(InputError, match=r"w\.npz: .*Missing: norm\.bias\. Left over: dist_token"):
        start(VIT, tmp_path / "w.npz")
    partial = Vit(width=4, depth=1, heads=2, patch=4, size=8, allow_partial=True)
    network, origin = start(partial, tmp_path / "w.npz")
    count = sum(x.size for x in jax.tree.leaves(network.params))
    assert origin.loaded.startswith(f"{count - 4:,} of {count:,} parameters")
    assert "Missing: norm.bias. Left over: dist_token." in origin.loaded


def test_imagenet_s_stem_does_not_fit_a_small_one(tmp_path, monkeypatch):
    monkeypatch.setitem(resnet.STAGES, 18, (1, 1, 1, 1))
    network = ResNet().build(K, seed=0)
    arrays = {}
    for tree in (network.params, network.stats):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            shape = {4: leaf.shape[:1:-1] + leaf.shape[:2], 2: leaf.shape[::-1]}
            zeros = np.zeros(shape.get(leaf.ndim, leaf.shape), np.float16)
            arrays[ResNet.naming.name(path)] = zeros
    np.savez(tmp_path / "w.npz", **arrays)
    start(ResNet(), tmp_path / "w.npz")
    for allow in (False, True):
        model = ResNet(stem="small", allow_partial=allow)
        with pytest.raises(InputError, match=r"conv1\.weight is \(7, 7, 3, 64\), not \(3, 3, 3, 6"):
            start(model, tmp_path / "w.npz")


def test_models_that_nobody_publishes_take_a_run_s_weights_only(tmp_path):
    np.savez(tmp_path / "w.npz", **timm())
    with pytest.raises(InputError, match=r"names of torchvision or timm, which only a ResNet has"):
        start(SMALL, tmp_path / "w.npz")


def written(folder, model=SMALL, k=K) -> PureNetwork:
    network = model.build(k, seed=9)
    stats = jax.tree.map(lambda x: x + 2, network.stats)
    folder.mkdir(parents=True, exist_ok=True)
    write_own(folder / "weights.npz", network.params, stats)
    return network._replace(stats=stats)


def test_a_run_s_weights_come_with_their_head_and_statistics(tmp_path):
    theirs = written(tmp_path / "night/seed7")
    network, origin = start(SMALL, tmp_path / "{target}/seed{seed}/weights.npz", seed=7)
    assert equal(network.params, theirs.params) and equal(network.stats, theirs.stats)
    count = sum(x.size for x in jax.tree.leaves(theirs.params))
    assert origin.loaded == f"{count} of {count} parameters and 32 of 32 running statistics loaded."
    assert origin.file == str(tmp_path / "night/seed7/weights.npz")


def test_a_run_s_head_of_other_classes_or_another_kind_stays_behind(tmp_path):
    written(tmp_path, k=5)
    network, origin = start(SMALL, tmp_path / "weights.npz")
    assert equal(network.params["head"], SMALL.build(K, seed=0).params["head"])
    assert "The head stays as it is: params/head/bias must be of shape (3,) and is (5,)" in (
        origin.loaded
    )
    other = ConvNet(width=4, size=16, classifier=Prototypes())
    network, origin = start(other, tmp_path / "weights.npz")
    assert equal(network.params["head"], other.build(K, seed=0).params["head"])
    assert "params/head/prototypes must be of shape (3, 4) and is missing" in origin.loaded


def test_a_run_s_weights_that_do_not_fit_are_all_named(tmp_path):
    written(tmp_path)
    with np.load(tmp_path / "weights.npz") as file:
        arrays = dict(file)
    arrays["params/backbone/conv9/kernel"] = arrays.pop("params/backbone/conv2/kernel")
    arrays["stats/backbone/norm1/mean"] = np.zeros(5)
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(InputError) as caught:
        start(SMALL, tmp_path / "weights.npz")
    for told in (
        "params/backbone/conv2/kernel must be of shape (3, 3, 4, 4) and is missing",
        "params/backbone/conv9/kernel is left over",
        "stats/backbone/norm1/mean must be of shape (4,) and is (5,)",
    ):
        assert told in str(caught.value)
