"""Finished runs: of the toy, trained; and of any network, with the weights that it starts with."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from toy import CLASSES, DOMAINS, Toy, toy_experiment

from jaxclr.experiment import as_code, imports
from jaxclr.methods.erm import erm
from jaxclr.models.store import write_own
from jaxclr.sweep import sweep

RESULTS = {
    "experiment": "toy", "dataset": "toy", "target": "night", "seed": 1, "accuracy": 50.0,
    "accuracy_per_class": [25.0, 50.0, 75.0], "source_accuracy": 90.0, "held_back_accuracy": None,
    "classes": list(CLASSES), "domains": list(DOMAINS), "steps": 6,
    "versions": {"jax": "0.0"}, "git_commit": "0123abc",
}  # fmt: skip


def trained(workdir) -> Path:
    """A run of the toy on its last domain."""
    experiment = toy_experiment(targets=("night",), method=erm(), steps=4, domain_probe=0)
    sweep(experiment, workdir, Console(quiet=True))
    return workdir / "toy" / "night" / "seed1"


def finished(folder, experiment=None, **results) -> Path:
    """What a run leaves that was finished before its first step, but for what was tested."""
    experiment, results = experiment or toy_experiment(), {**RESULTS, **results}
    folder.mkdir(parents=True)
    names = "".join(f"# {line}\n" for line in imports(experiment))
    (folder / "experiment.txt").write_text(names + as_code(experiment))
    (folder / "metrics.jsonl").write_text("")
    (folder / "results.json").write_text(json.dumps(results))
    network = experiment.model.build(len(results["classes"]), seed=results["seed"])
    write_own(folder / "weights.npz", network.params, network.stats)
    return folder


def spill(folder, domain="night") -> list[Path]:
    """Writes the toy's images of a domain as files."""
    of = next(d for d in Toy().load().domains if d.name == domain)
    for path, image in zip(of.paths, of.images, strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(image)).save(folder / path)
    return [folder / path for path in of.paths]
