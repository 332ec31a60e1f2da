"""What a finished run writes down of itself."""

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from jaxclr.evaluator import domains_probed
from jaxclr.measures import (
    calibration_bins,
    class_scores,
    confusion,
    expected_calibration_error,
    negative_log_likelihood,
)
from jaxclr.metrics import late_pseudo_labels, mean_gradient_norms
from jaxclr.pipeline.atomic import replacing
from jaxclr.records import Predictions, Tested
from jaxclr.training.layout import Layout
from jaxclr.training.loop import Clock, Plan

VERSIONED = (
    *("jaxclr", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy"),
    *("pillow", "scikit-learn"),
)


def write_results(
    path: Path, lines: list[dict[str, Any]], *,
    experiment: str, dataset: str, target: str, seed: int, classes: tuple[str, ...],
    domains: tuple[str, ...], plan: Plan, clock: Clock, layout: Layout, tested: Tested,
) -> None:  # fmt: skip
    """Writes ``results.json``, whole or not at all; ``lines`` are those of the run's journal."""
    last = next(line for line in reversed(lines) if "accuracy" in line)
    begun = next((line for line in lines if line["step"] == 0), {})
    pace = clock.seconds_per_step
    results = {
        "experiment": experiment,
        "dataset": dataset,
        "target": target,
        "seed": seed,
        **{name: value for name, value in last.items() if name != "step"},
        **figures(tested.predictions, len(classes)),
        **late_pseudo_labels(lines),
        "gradient_norms": mean_gradient_norms(lines),
        "domain_probe_accuracy": domains_probed(tested.features),
        "weights": begun.get("weights"),
        "classes": classes,
        "domains": domains,
        "steps": plan.steps,
        "seconds": round(clock.seconds, 3),
        "images_per_second": round(plan.images_per_step / pace, 2) if pace else None,
        "device": f"{layout.num_devices} x {jax.devices()[0].device_kind}",
        "processes": layout.num_processes,
        "versions": {name: metadata.version(name) for name in VERSIONED},
        "git_commit": git_commit(),
    }
    with replacing(path) as file:
        file.write(json.dumps(results, indent=2).encode())


def figures(found: Predictions, num_classes: int) -> dict[str, float | None]:
    """What can be said of predictions beside their accuracy: see :mod:`jaxclr.measures`."""
    bins = calibration_bins(found.confidence, found.guess == found.label)
    return {
        "nll": negative_log_likelihood(found.truth),
        "ece": expected_calibration_error(bins),
        **class_scores(confusion(found.label, found.guess, num_classes))._asdict(),
    }


def git_commit() -> str | None:
    """The commit of the checkout this package is in, ``-dirty`` with changes; None elsewhere."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    top = git("rev-parse", "--show-toplevel")
    # An installed copy may lie within somebody else's repository, whose commit says nothing.
    if (
        not top
        or Path(top).resolve() != here.parent.resolve()
        or not (commit := git("rev-parse", "HEAD"))
    ):
        return None
    return f"{commit}-dirty" if git("status", "--porcelain") else commit
