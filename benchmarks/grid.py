"""Grids of runs on one machine: several at once, each on one thread, and what they come to.

A row is an experiment with some of its settings changed; it is run on every target and seed by
``python -m jaxclr.main`` in a process of its own. Finished runs are not repeated, so that a grid
that was stopped goes on where it stood.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jaxclr.report.paired import Pair, paired_difference

ROOT = Path(__file__).parent.parent
ONE_THREAD = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Otherwise glibc hands the larger arrays back to the system after every step.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
}

Runs = Mapping[str, Mapping[Pair, Mapping[str, float]]]
"""Of every row, the figures of each (target, seed); what was not measured is NaN."""


def make(row: str, experiment: str, workdir: Path, arguments: Sequence[str]) -> None:
    """Makes the runs of one row that are not made yet."""
    command = [
        *(sys.executable, "-m", "jaxclr.main", f"--experiment={experiment}", "--name", row),
        *("--workdir", str(workdir), "--no-report", "--threads", "1", *arguments),
    ]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD}, cwd=ROOT, capture_output=True, text=True
    )
    print(row, "is made" if done.returncode == 0 else f"failed:\n{done.stderr[-2000:]}", flush=True)


def in_parallel(jobs: int, function: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Calls the function on every item, ``jobs`` at once, the first items first."""
    with ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(function, items):
            pass


def results(workdir: Path, row: str) -> list[dict[str, Any]]:
    """What every finished run of a row wrote of itself."""
    paths = sorted(workdir.glob(f"{row}/*/seed*/results.json"))
    return [json.loads(path.read_text()) for path in paths]


def rounded(values: Iterable[Any]) -> list[Any]:
    """The values of a line, floats to four significant digits or three decimals."""
    return [
        (round(x, 3) if abs(x) >= 1 else float(f"{x:.4g}")) if isinstance(x, float) else x
        for x in values
    ]


def write_lines(path: Path, columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """Writes a CSV file, whole or not at all."""
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *lines])
    temporary.replace(path)


def read_lines(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def runs_of(lines: Iterable[Mapping[str, str]], figures: Sequence[str]) -> Runs:
    """The figures of lines with the columns ``row``, ``target`` and ``seed``."""
    found: dict[str, dict[Pair, dict[str, float]]] = {}
    for line in lines:
        values = {name: float(line[name] or "nan") for name in figures}
        found.setdefault(line["row"], {})[line["target"], int(line["seed"])] = values
    return found


def difference(
    runs: Runs, row: str, base: str, figure: str = "accuracy"
) -> tuple[float, float] | None:
    """The mean paired difference over (target, seed), and half its 95 % interval by Student's t.

    None where fewer than two pairs were measured.
    """
    of_row, of_base = (
        {pair: figures[figure] for pair, figures in runs.get(name, {}).items()}
        for name in (row, base)
    )
    found = paired_difference(of_row, of_base)
    return None if found is None or found.half is None else (found.mean, found.half)


def told(found: tuple[float, float] | None, digits: int = 1) -> str:
    """A difference as tables have it."""
    return "-" if found is None else f"{found[0]:+.{digits}f} ± {found[1]:.{digits}f}"
