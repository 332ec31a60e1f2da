"""What a finished run writes down of itself."""

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from jaxclr.metrics import late_pseudo_labels, mean_gradient_norms
from jaxclr.pipeline.atomic import replacing
from jaxclr.training.layout import Layout
from jaxclr.training.loop import Clock, Plan

VERSIONED = (
    *("jaxclr", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy"),
    *("pillow", "scikit-learn"),
)


def write_results(
    path: Path, lines: list[dict[str, Any]], *,
    experiment: str, target: str, seed: int, classes: tuple[str, ...],
    plan: Plan, clock: Clock, layout: Layout, domain_probe_accuracy: float | None,
) -> None:  # fmt: skip
    """Writes ``results.json``, whole or not at all; ``lines`` are those of the run's journal."""
    tested = next(line for line in reversed(lines) if "accuracy" in line)
    begun = next((line for line in lines if line["step"] == 0), {})
    pace = clock.seconds_per_step
    results = {
        "experiment": experiment,
        "target": target,
        "seed": seed,
        **{name: value for name, value in tested.items() if name != "step"},
        **late_pseudo_labels(lines),
        "gradient_norms": mean_gradient_norms(lines),
        "domain_probe_accuracy": domain_probe_accuracy,
        "weights": begun.get("weights"),
        "classes": classes,
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
