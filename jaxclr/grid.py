"""Many experiments' runs as jobs: experiments x targets x seeds, and the table of all."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from jaxclr.comparison import Row, screens, write_comparison
from jaxclr.errors import InputError
from jaxclr.experiment import Experiment
from jaxclr.jobs import Job
from jaxclr.main import load_experiment, parse
from jaxclr.pipeline.source import Collection, Dataset
from jaxclr.sweep import all_results, all_runs
from jaxclr.tables import summarise, write_table

Loaded = dict[Dataset, Collection]
"""Images of data sets that several experiments share."""

WIDEST = 1000
"""Characters of a table in a log."""


class Series(NamedTuple):
    """All runs of one experiment."""

    experiment: Experiment
    collection: Collection
    folder: Path
    asked: dict[str, list[int]]
    """The seeds of each target."""
    jobs: tuple[Job, ...]
    """The runs that are not finished."""
    steps: int
    """Of all of these together."""


class Grid(NamedTuple):
    """All runs of some experiments."""

    workdir: Path
    series: tuple[Series, ...]

    @property
    def jobs(self) -> list[Job]:
        """Those that are not finished, in the order of experiments, targets, seeds."""
        return [job for one in self.series for job in one.jobs]

    @property
    def size(self) -> int:
        """How many runs there are, finished or not."""
        return sum(len(seeds) for one in self.series for seeds in one.asked.values())

    @property
    def steps(self) -> int:
        """How many steps those that are not finished have, from their beginnings."""
        return sum(one.steps for one in self.series)


def make_grid(names: Sequence[str], fields: Sequence[str], workdir: Path) -> Grid:
    """Checks every run of every experiment.

    Args:
        names: Of experiments, or paths of their files.
        fields: What the command line overrides, in all of them.
        workdir: Where runs are written.

    Raises:
        InputError: One cannot be run as it is, or two would be written into one folder.
    """
    found: dict[str, str] = {}
    loaded: Loaded = {}
    series = []
    for name in dict.fromkeys(names):
        one = make_series(name, fields, workdir, loaded)
        if (other := found.setdefault(one.experiment.name, name)) != name:
            raise InputError(
                f"{other} and {name} are both named {one.experiment.name!r}, so their runs would "
                "share a folder. Give them separate names in their files, or leave out --name."
            )
        series.append(one)
    return Grid(workdir, tuple(series))


def make_series(name: str, fields: Sequence[str], workdir: Path, loaded: Loaded) -> Series:
    """Checks every run of one experiment.

    Args:
        name: Its name, or the path of its file.
        fields: What the command line overrides.
        workdir: Where runs are written.
        loaded: Data sets that need not be loaded again; the experiment's is added.

    Raises:
        InputError: One cannot be run as it is.
    """
    default = load_experiment(name)
    try:
        experiment = parse(default, fields)
    except SystemExit as stop:
        if not stop.code:
            raise
        # What is wrong has been told, but not with which experiment.
        raise InputError(f"--experiments: these fields do not suit {name!r}.") from None
    if experiment.dataset not in loaded:
        loaded[experiment.dataset] = experiment.dataset.load()
    collection = loaded[experiment.dataset]
    folder = workdir / experiment.name
    runs = all_runs(experiment, collection, folder)
    asked: dict[str, list[int]] = {}
    for run in runs:
        asked.setdefault(run.target, []).append(run.seed)
    todo = [run for run in runs if not run.is_finished]
    jobs = tuple(
        Job(
            title=run.title,
            folder=run.folder,
            command=command(name, fields, workdir, target=run.target, seed=run.seed),
        )
        for run in todo
    )
    steps = sum(run.plan.steps for run in todo)
    return Series(experiment, collection, folder, asked, jobs, steps)


def command(
    name: str, fields: Sequence[str], workdir: Path, *, target: str, seed: int
) -> tuple[str, ...]:
    """The call of ``jaxclr.main`` that makes one run; the last of two equal flags counts."""
    return (
        *(sys.executable, "-u", "-m", "jaxclr.main", "--experiment", name),
        *("--workdir", str(workdir), "--no-report"),
        *(*fields, "--targets", target, "--seeds", str(seed)),
    )


def finish(grid: Grid, console: Console) -> dict[str, list[Path]]:
    """Writes the table of every experiment that has results, and one of all; shows the latter.

    Returns:
        Of each data set, the folders of the experiments that have results.
    """
    rows: list[Row] = []
    folders: dict[str, list[Path]] = {}
    for one in grid.series:
        summary = None
        if results := all_results(one.folder, one.collection):
            summary = summarise(results)
            write_table(one.folder, summary)
            folders.setdefault(one.experiment.dataset.name, []).append(one.folder)
        domains = tuple(domain.name for domain in one.collection.domains)
        name = one.experiment.name
        rows.append(Row(one.experiment.dataset.name, name, domains, summary, one.asked))
    write_comparison(grid.workdir, rows)
    print_tables(screens(rows), console)
    console.print(f"Runs and tables: {grid.workdir}", highlight=False, soft_wrap=True)
    return folders


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Prints tables as wide as the terminal, or in a log as wide as they are."""
    for table in tables:
        # In a log, nothing is gained by folding what is too wide for a terminal.
        if not console.is_terminal:
            options = console.options.update(width=WIDEST)
            console.width = max(console.width, Measurement.get(console, options, table).maximum)
        console.print(table)
