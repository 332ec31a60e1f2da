"""The table of several experiments: a row for each, a column for each target."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.table import Table

from jaxclr.pipeline.atomic import replacing

NOTHING = "-"


class Row(NamedTuple):
    """What there is of one experiment."""

    dataset: str
    """Experiments on other data are in another table."""
    experiment: str
    """Its name."""
    domains: tuple[str, ...]
    """All that can be held out, in the order of the columns."""
    summary: Mapping[str, Any] | None
    """Of all finished runs, by :func:`jaxclr.tables.summarise`; None if there is none."""
    asked: Mapping[str, Sequence[int]]
    """The seeds that were asked for, of each target."""

    @property
    def found(self) -> dict[str, set[int]]:
        """The seeds of each target that are finished."""
        targets = self.summary["targets"] if self.summary else {}
        return {target: {int(seed) for seed in row["seeds"]} for target, row in targets.items()}

    @property
    def expected(self) -> dict[str, set[int]]:
        """The seeds of each target that are finished or asked for."""
        found = self.found
        return {
            target: found.get(target, set()) | set(self.asked.get(target, ()))
            for target in self.domains
            if target in found or target in self.asked
        }


def write_comparison(folder: Path, rows: Sequence[Row]) -> None:
    """Writes ``table.md`` and ``table.json``, each whole or not at all."""
    with replacing(folder / "table.md") as file:
        file.write(markdown(rows).encode())
    with replacing(folder / "table.json") as file:
        file.write(json.dumps(records(rows), indent=2).encode())


def markdown(rows: Sequence[Row]) -> str:
    """The tables as Markdown, one for each data set."""
    tables = [_cells(some) for some in _by_dataset(rows)]
    return "\n".join(
        "".join(f"| {' | '.join(line)} |\n" for line in (header, _rule(header), *lines))
        for header, *lines in tables
    )


def records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows for programs to read."""
    return [
        {
            "dataset": row.dataset,
            "experiment": row.experiment,
            "finished": _count(row.found),
            "expected": _count(row.expected),
            "targets": row.summary["targets"] if row.summary else {},
            "mean": row.summary["mean"] if row.summary else None,
            "std": row.summary["std"] if row.summary else None,
        }
        for row in rows
    ]


def screens(rows: Sequence[Row]) -> list[Table]:
    """The tables for a terminal, one for each data set."""
    tables = []
    for some in _by_dataset(rows):
        header, *lines = _cells(some)
        table = Table(
            title=some[0].dataset,
            caption="top-1 accuracy on the whole held-out domain, %: mean ± std over seeds",
            box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0),
        )  # fmt: skip
        for number, name in enumerate(header):
            table.add_column(name, justify="right" if number else "left", overflow="fold")
        for line in lines:
            table.add_row(*line)
        tables.append(table)
    return tables


def _by_dataset(rows: Sequence[Row]) -> list[list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.dataset, []).append(row)
    return list(found.values())


def _rule(header: list[str]) -> list[str]:
    return ["---", *["---:"] * (len(header) - 1)]


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """The header and the lines of one table."""
    domains = dict.fromkeys(domain for row in rows for domain in row.domains)
    targets = [target for target in domains if any(target in row.expected for row in rows)]
    lines = [["experiment", *targets, "mean", "runs"]]
    for row in rows:
        done, all_runs = _count(row.found), _count(row.expected)
        lines.append(
            [
                row.experiment,
                *(_cell(row, target) for target in targets),
                _mean(row, targets),
                str(done) if done == all_runs else f"{done} of {all_runs}",
            ]
        )
    return lines


def _cell(row: Row, target: str) -> str:
    if row.summary is None or target not in row.found:
        return NOTHING
    figures = row.summary["targets"][target]
    done, all_seeds = len(row.found[target]), len(row.expected[target])
    text = f"{figures['mean']:.1f} ± {figures['std']:.1f}"
    return text if done == all_seeds else f"{text} ({done} of {all_seeds})"


def _mean(row: Row, targets: Sequence[str]) -> str:
    """Means over other targets than those of the columns would not be comparable."""
    if row.summary is None or set(targets) - row.found.keys():
        return NOTHING
    std = row.summary["std"]
    return f"{row.summary['mean']:.1f}" + ("" if std is None else f" ± {std:.1f}")


def _count(seeds: Mapping[str, set[int]]) -> int:
    return sum(map(len, seeds.values()))
