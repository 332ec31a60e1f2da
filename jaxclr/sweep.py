"""All runs of an experiment: every target, every seed, then the table."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxclr.errors import InputError, nearest
from jaxclr.experiment import Experiment
from jaxclr.pipeline.source import Collection
from jaxclr.progress import duration
from jaxclr.report import screen, summarise, write_table
from jaxclr.run import Run


def sweep(experiment: Experiment, workdir: Path, console: Console) -> Path:
    """Makes every run that is not finished, and writes the table.

    All runs are checked before the first is started, so that bad input is told at once.

    Returns:
        The folder with the runs and the table.

    Raises:
        InputError: The experiment cannot be run as it is.
        JaxclrError: A run failed; those before it are kept.
    """
    folder = workdir / experiment.name
    collection = experiment.dataset.load()
    targets = checked_targets(experiment, collection)
    programs = {}
    runs = [
        Run(experiment, collection, target, seed, folder / target / f"seed{seed}", programs)
        for target in targets
        for seed in dict.fromkeys(experiment.seeds)
    ]
    todo = [run for run in runs if not run.is_finished]
    steps = [run.plan.steps for run in todo]
    if len(todo) < len(runs):
        console.print(f"{len(runs) - len(todo)} of {len(runs)} runs are finished already.")
    told = False

    def foretell(pace: float) -> None:
        nonlocal told
        if not told:
            told = True
            console.print(
                f"The whole table ({len(todo)} runs, {sum(steps)} steps) takes about "
                f"{duration(pace * sum(steps))} on this machine, evaluation aside.",
                highlight=False, soft_wrap=True,
            )  # fmt: skip

    for run in todo:
        run.execute(console, foretell)
    summary = summarise(all_results(folder, collection))
    write_table(folder, summary)
    console.print(screen(summary))
    console.print(f"Runs and table: {folder}", highlight=False, soft_wrap=True)
    return folder


def all_results(folder: Path, collection: Collection) -> list[dict[str, Any]]:
    """The results of every finished run in the folder, of this sweep or an earlier one."""
    return [
        json.loads(path.read_text())
        for domain in collection.domains
        for path in folder.glob(f"{domain.name}/seed*/results.json")
    ]


def checked_targets(experiment: Experiment, collection: Collection) -> tuple[str, ...]:
    """The targets asked for, or every domain.

    Raises:
        InputError: One is no domain, or there is no domain beside it to learn from.
    """
    names = [domain.name for domain in collection.domains]
    if unknown := [target for target in experiment.targets if target not in names]:
        raise InputError(
            f"--targets: {unknown[0]!r} is no domain of {experiment.dataset.name!r}. "
            f"{nearest(unknown[0], names)}"
        )
    if len(names) < 2:
        raise InputError(
            f"{experiment.dataset.name!r} has the one domain {names[0]!r}; with it held out, none "
            "is left to learn from. Two or more are needed."
        )
    return tuple(dict.fromkeys(experiment.targets)) or tuple(names)
