"""Runs that start from weights of a file: once, and with a record of it."""

import io
import json
import shutil

import jax
import numpy as np
import pytest
from rich.console import Console
from toy import Toy, toy_experiment

import jaxclr.run
from jaxclr.methods.erm import erm
from jaxclr.models import pretrained, resnet
from jaxclr.models.convnet import ConvNet
from jaxclr.models.resnet import ResNet
from jaxclr.models.store import write_own
from jaxclr.models.weights import load_resnet, sha256
from jaxclr.run import Run
from jaxclr.start import shown
from jaxclr.sweep import sweep


class Stop(Exception):
    """Raised in place of training."""


def first_state(experiment, folder, monkeypatch):
    """The state that a run's training is given, what is said before, and the journal."""
    given = {}

    def train(state, *_, **__):
        given["state"] = jax.device_get(state)
        raise Stop

    monkeypatch.setattr(jaxclr.run, "train", train)
    said = io.StringIO()
    run = Run(experiment, Toy().load(), "night", 1, folder, {})
    with pytest.raises(Stop):
        run.execute(Console(file=said, width=500), print)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return given["state"], said.getvalue(), [json.loads(line) for line in lines]


def own_weights(folder, **heads) -> str:
    network = ConvNet(width=4, size=16, **heads).build(3, seed=9)
    write_own(folder / "weights.npz", network.params, jax.tree.map(lambda x: x + 1, network.stats))
    return str(folder / "weights.npz")


def toy(weights, **changes):
    model = ConvNet(width=4, size=16, weights=weights)
    return toy_experiment(**{"model": model, "method": erm(), "targets": ("night",), **changes})


def test_training_starts_from_the_weights_and_says_so_once(tmp_path, monkeypatch):
    weights = own_weights(tmp_path)
    experiment = toy(weights, ema_decay=0.9)
    state, said, lines = first_state(experiment, tmp_path / "run", monkeypatch)
    with np.load(weights) as file:
        for tree, kind in ((state.params, "params"), (state.ema, "params"), (state.stats, "stats")):
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
                name = "/".join([kind, *(key.key for key in path)])
                np.testing.assert_array_equal(leaf, file[name])
    digest = sha256(weights)
    (line,) = lines
    assert line["step"] == 0
    assert line["weights"]["file"] == weights and line["weights"]["sha256"] == digest
    assert said.count(f"starts from {weights} (SHA-256 {digest}). ") == 1
    assert line["weights"]["loaded"] in said
    # A run that was killed before its first checkpoint starts anew, and its record does.
    _, _, again = first_state(experiment, tmp_path / "run", monkeypatch)
    assert again == lines


def test_bad_weights_are_told_before_the_folder_is_the_experiment_s(tmp_path):
    run = Run(toy(str(tmp_path / "gone.npz")), Toy().load(), "night", 1, tmp_path / "run", {})
    with pytest.raises(jaxclr.run.InputError, match=r"gone\.npz: cannot be read"):
        run.execute(Console(quiet=True), print)
    Run(toy(own_weights(tmp_path)), Toy().load(), "night", 1, tmp_path / "run", {})


def test_batch_norm_is_restored_from_plain_images_of_the_sources_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(resnet.STAGES, 18, (1, 1, 1, 1))
    network = ResNet().build(3, seed=9)
    arrays = {"conv1.bias": np.ones(64, np.float32)}
    for path, leaf in jax.tree_util.tree_leaves_with_path(network.params):
        name = ResNet.naming.name(path)
        turn = {4: (3, 2, 0, 1), 2: (1, 0)}.get(leaf.ndim)
        if "bn" not in name and "downsample.1" not in name:
            arrays[name] = leaf.transpose(turn) if turn else leaf
    np.savez(tmp_path / "w.npz", **arrays)
    seen = {}

    def restore(network, images, *, new):
        seen.update(images=images, new=new)
        return network

    monkeypatch.setattr(pretrained, "restore_batch_norm", restore)
    experiment = toy(None, model=ResNet(weights=str(tmp_path / "w.npz"), allow_partial=True))
    state, _, lines = first_state(experiment, tmp_path / "run", monkeypatch)
    day, dusk, _ = Toy().load().domains
    plain = np.stack([*day.images, *dusk.images])
    np.testing.assert_allclose(seen["images"], (plain / 255 - 0.5) / 0.5, rtol=1e-5, atol=1e-6)
    # Only the stem's was folded; of the others, the file knows nothing.
    assert "bn1" not in seen["new"] and "layer2_0/downsample_bn" in seen["new"]
    assert len(seen["new"]) == 11
    assert (state.params["backbone"]["bn1"]["bias"] == 1).all()
    assert "restored from 72 images of the source domains" in lines[0]["weights"]["loaded"]
    loaded = load_resnet(arrays, network.params, network.stats, allow_partial=True)
    assert (loaded.params["backbone"]["bn1"]["bias"] == 0).all()


def test_images_that_are_shown_are_spread_over_those_that_may_be_trained_on():
    augment = toy_experiment().augment
    day, dusk, _ = Toy().load().domains
    train = np.arange(36) % 2 == 0
    found = shown([day._replace(train=train), dusk], augment, 12)
    expected = [day.images[i] for i in (0, 6, 14, 20, 28, 34)]
    expected += [dusk.images[i] for i in (0, 7, 14, 21, 28, 35)]
    np.testing.assert_allclose(found, (np.stack(expected) / 255 - 0.5) / 0.5, atol=1e-6)
    assert len(shown([day._replace(train=train), dusk], augment, 70)) == 18 + 35


def test_a_resumed_run_needs_no_file_and_keeps_the_record(tmp_path):
    experiment = toy(own_weights(tmp_path), steps=4, eval_every=2, log_every=1, domain_probe=0)
    sweep(experiment, tmp_path / "runs", Console(quiet=True))
    folder = tmp_path / "runs/toy/night/seed1"
    results = json.loads((folder / "results.json").read_text())
    journal = (folder / "metrics.jsonl").read_bytes()
    assert results["weights"]["sha256"] == sha256(tmp_path / "weights.npz")
    with np.load(folder / "weights.npz") as file:
        whole = dict(file)
    for path in (tmp_path / "weights.npz", folder / "results.json", folder / "weights.npz"):
        path.unlink()
    shutil.rmtree(folder / "checkpoints/4")
    sweep(experiment, tmp_path / "runs", Console(quiet=True))
    assert json.loads((folder / "results.json").read_text())["weights"] == results["weights"]
    assert (folder / "metrics.jsonl").read_bytes() == journal
    with np.load(folder / "weights.npz") as file:
        assert file.keys() == whole.keys()
        for name in file:
            np.testing.assert_array_equal(file[name], whole[name])
