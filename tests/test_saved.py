import io
import json
import math
from pathlib import Path

import jax
import numpy as np
import pytest
from rich.console import Console
from sklearn import metrics
from toy import toy_experiment

from jaxclr.errors import InputError
from jaxclr.evaluation import make_predict, over_images
from jaxclr.experiment import as_code, imports
from jaxclr.main import experiment_names, load_experiment
from jaxclr.run import Run
from jaxclr.saved import read_experiment, read_saved


def written(experiment) -> str:
    return "".join(f"# {line}\n" for line in imports(experiment)) + as_code(experiment)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    experiment = toy_experiment()
    folder = tmp_path_factory.mktemp("runs") / "toy/night/seed1"
    run = Run(experiment, experiment.dataset.load(), "night", 1, folder, {})
    run.execute(Console(file=io.StringIO()), lambda pace: None)
    return run


def test_a_run_read_back_says_of_the_target_what_its_evaluation_said(run):
    saved = read_saved(run.folder)
    assert saved.experiment == run.experiment
    assert saved.classes == run.collection.classes
    network, augment = saved.network, saved.experiment.augment
    predict = make_predict(network, augment, np.float32, run.layout)
    logits = over_images(
        predict, lambda seen: seen.logits, network.params, network.stats, run.layout, run.held_out,
        range(36), augment,
    )  # fmt: skip
    accuracy = 100 * np.mean(logits.argmax(-1) == run.held_out.label)
    results = json.loads((run.folder / "results.json").read_text())
    assert accuracy == pytest.approx(results["accuracy"])
    shares = np.exp(logits.astype(np.float64))
    shares /= shares.sum(-1, keepdims=True)
    with np.load(run.folder / "tested.npz") as arrays:
        confidence = arrays["predictions/confidence"]
        truth = arrays["predictions/truth"]
    np.testing.assert_allclose(confidence, shares.max(-1), rtol=1e-5)
    assert results["nll"] == pytest.approx(np.mean([-math.log(p) for p in truth]))
    assert results["domains"] == ["day", "dusk", "night"]


def test_scores_of_the_results_are_those_of_scikit_learn(run):
    results = json.loads((run.folder / "results.json").read_text())
    with np.load(run.folder / "tested.npz") as arrays:
        label, guess, confidence = (
            arrays[f"predictions/{name}"] for name in ("label", "guess", "confidence")
        )
    how = {"average": "macro", "zero_division": 0}
    told = {
        "balanced_accuracy": metrics.balanced_accuracy_score(label, guess),
        "macro_precision": metrics.precision_score(label, guess, **how),
        "macro_recall": metrics.recall_score(label, guess, **how),
        "macro_f1": metrics.f1_score(label, guess, **how),
    }
    assert told == pytest.approx({name: results[name] / 100 for name in told})
    assert told["macro_precision"] != pytest.approx(told["macro_recall"], rel=1e-3)
    gaps = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            right = (label == guess)[inside].mean()
            gaps += inside.mean() * abs(right - confidence[inside].mean())
    assert results["ece"] == pytest.approx(100 * gaps, rel=1e-5)


@pytest.mark.parametrize("name", experiment_names())
def test_every_experiment_is_made_anew_from_its_code(name):
    experiment = load_experiment(name)
    assert read_experiment(Path("experiment.txt"), written(experiment)) == experiment


@pytest.mark.parametrize(
    "code, reason",
    {
        "Experiment(": "does not say what was run",
        "__import__('os').getcwd()": "malformed|does not say",
        "# from os import getcwd\ngetcwd()": "os has no settings getcwd",
        "Experiment(name='x')": "does not say where Experiment comes from",
        "# from jaxclr.optim import Sgd\nSgd()": "holds no Experiment",
        "# from nowhere.at_all import Mine\nMine()": "Install what it is in",
        "# from jaxclr.optim import Sgd\nSgd(speed=1)": "speed",
    }.items(),
)
def test_no_code_but_settings_is_run(code, reason):
    with pytest.raises(InputError, match=reason):
        read_experiment(Path("experiment.txt"), code)


def test_weights_of_another_network_are_refused(run):
    path = run.folder / "weights.npz"
    kept = path.read_bytes()
    with np.load(path) as arrays:
        found = dict(arrays)
    name = next(iter(found))
    try:
        np.savez(path, **{n: a for n, a in found.items() if n != name}, odd=found[name])
        with pytest.raises(InputError, match=f"{name} must be of shape") as told:
            read_saved(run.folder)
        assert "odd is left over" in str(told.value)
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("above", [1, 2], ids=["target", "experiment"])
def test_the_folder_of_a_target_or_an_experiment_lists_its_runs(run, above):
    with pytest.raises(InputError, match=r"holds 1 runs\. Choose one: .*night/seed1"):
        read_saved(run.folder.parents[above - 1])


def test_parameters_are_read_whatever_the_devices(run):
    saved = read_saved(run.folder)
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(saved.network.params))
