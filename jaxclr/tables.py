"""From the results of runs to the leave-one-domain-out table."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from jaxclr.pipeline.atomic import replacing


def summarise(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracy per target, over seeds, and over the targets.

    Returns:
        Per target the mean and the population standard deviation (the protocol's) over seeds, in
        %, and the accuracy of each seed; ``mean`` is that over the targets' means, ``std`` that of
        the seeds' own means over targets, for the seeds that all targets have.
    """
    targets: dict[str, dict[int, float]] = {}
    for result in results:
        targets.setdefault(result["target"], {})[result["seed"]] = result["accuracy"]
    rows = {
        target: {
            "mean": statistics.fmean(seeds.values()),
            "std": statistics.pstdev(seeds.values()),
            "seeds": {str(seed): seeds[seed] for seed in sorted(seeds)},
        }
        for target, seeds in targets.items()
    }
    common = set.intersection(*(set(seeds) for seeds in targets.values()))
    per_seed = [statistics.fmean(seeds[seed] for seeds in targets.values()) for seed in common]
    return {
        "experiment": results[0]["experiment"],
        "targets": rows,
        "mean": statistics.fmean(row["mean"] for row in rows.values()),
        "std": statistics.pstdev(per_seed) if per_seed else None,
    }


def write_table(folder: Path, summary: Mapping[str, Any]) -> None:
    """Writes ``table.md`` and ``table.json``, each whole or not at all."""
    with replacing(folder / "table.json") as file:
        file.write(json.dumps(summary, indent=2).encode())
    with replacing(folder / "table.md") as file:
        file.write(markdown(summary).encode())


def markdown(summary: Mapping[str, Any]) -> str:
    """The table as Markdown."""
    header, cells = _cells(summary)
    rows = [header, ["---"] + ["---:"] * (len(header) - 1), cells]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def screen(summary: Mapping[str, Any]) -> Table:
    """The table for a terminal: a line per target, so that it fits however many there are."""
    table = Table(
        title=summary["experiment"],
        caption="top-1 on the whole held-out domain, %",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("target")
    table.add_column("mean ± std over seeds", justify="right")
    table.add_column("seeds", justify="right")
    for target, row in summary["targets"].items():
        table.add_row(target, f"{row['mean']:.1f} ± {row['std']:.1f}", str(len(row["seeds"])))
    table.add_section()
    table.add_row("mean", f"{summary['mean']:.1f}" + " " * 6, style="bold")
    return table


def _cells(summary: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    rows = summary["targets"]
    seeds = {len(row["seeds"]) for row in rows.values()}
    name = summary["experiment"]
    header = ["experiment", *rows, "mean", "seeds"]
    values = [f"{row['mean']:.1f} ± {row['std']:.1f}" for row in rows.values()]
    count = "-".join(str(n) for n in sorted(seeds))
    return header, [name, *values, f"{summary['mean']:.1f}", count]
