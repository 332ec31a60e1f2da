"""What a search leaves: a table for each way to choose, and the draws that were chosen."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.table import Table

from jaxclr.comparison import Row, markdown, records, screens
from jaxclr.pipeline.atomic import replacing
from jaxclr.search.selection import RULES, Choice, Rule, Trial, choose
from jaxclr.search.spaces import Settings
from jaxclr.tables import summarise

NOTE = (
    "{draws} draws of settings for each experiment, draw 0 of which is the experiment as it "
    "stands; {finished} of {expected} runs are finished. Each cell: top-1 accuracy on the whole "
    "held-out domain, %, of the draws chosen for this target, one for each seed: mean ± std over "
    "seeds, the population's (DomainBed's error is this over the root of the number of seeds). "
    "Every run counts as it is at its last step."
)
"""What stands above the tables."""

NAMES: dict[Rule, str] = {
    "default": "default",
    "source": "source",
    "labeled": "labeled",
    "leave_one_out": "leave one out",
    "oracle": "NOT ALLOWED",
}
"""What a rule is called in a row on a terminal."""

NONE: dict[Rule, str] = {
    "default": "Draw 0 is not finished.",
    "source": "No run has images of the sources that are held back; give --held-back .2.",
    "labeled": "No run is finished.",
    "leave_one_out": "No draw has all of two or more targets with one seed.",
    "oracle": "No run is finished.",
}
"""What stands in place of a table without figures."""

MOST = 40
"""Chosen draws that are shown on a terminal; more are in the files alone."""


class Searched(NamedTuple):
    """One experiment, its draws, and what is finished of them."""

    asked_as: str
    """Its name or file on the command line."""
    experiment: str
    dataset: str
    domains: tuple[str, ...]
    """All that can be held out."""
    asked: Mapping[str, Sequence[int]]
    """The seeds of each target."""
    space: Mapping[str, str]
    """What each field is drawn from, as a file would have it."""
    settings: tuple[Settings, ...]
    """What was drawn, by the number of the draw."""
    fields: tuple[tuple[str, ...], ...]
    """Flags of its runs, by the number of the draw."""
    trials: tuple[Trial, ...]
    """Its finished runs."""

    @property
    def expected(self) -> int:
        """How many runs there are, finished or not."""
        return len(self.settings) * sum(map(len, self.asked.values()))

    def choices(self, rule: Rule) -> list[Choice]:
        """What the rule chooses; see :func:`jaxclr.search.selection.choose`."""
        return choose(self.trials, rule, tuple(self.asked))

    def row(self, rule: Rule) -> Row:
        """The runs that the rule chooses, as a row of a table."""
        results = [
            {"experiment": self.experiment, "target": c.target, "seed": c.seed,
             "accuracy": c.accuracy}
            for c in self.choices(rule)
        ]  # fmt: skip
        summary = summarise(results) if results else None
        return Row(self.dataset, self.experiment, self.domains, summary, self.asked)

    def record(self, choice: Choice, workdir: Path) -> dict[str, Any]:
        """A choice with the settings, and the command that makes the run anew."""
        again = (
            *("python", "-m", "jaxclr.main", "--experiment", self.asked_as),
            *("--workdir", str(workdir), *self.fields[choice.draw]),
            *("--targets", choice.target, "--seeds", str(choice.seed)),
        )
        return {
            "experiment": self.experiment,
            **choice._asdict(),
            "settings": self.settings[choice.draw],
            "command": shlex.join(again),
        }


def write_choices(folder: Path, searched: Sequence[Searched], workdir: Path) -> None:
    """Writes ``table.md``, ``table.json`` and ``choices.json``, each whole or not at all.

    Args:
        folder: Where.
        searched: The experiments in the order of the rows.
        workdir: Where the commands of ``choices.json`` make their runs.
    """
    tables = {
        "spaces": {one.experiment: one.space for one in searched},
        "draws": {one.experiment: one.settings for one in searched},
        "rules": {
            rule: {
                "by": by,
                "allowed": rule != "oracle",
                "rows": records([one.row(rule) for one in searched]),
            }
            for rule, by in RULES.items()
        },
    }
    chosen = [
        one.record(choice, workdir)
        for rule in RULES
        for one in searched
        for choice in one.choices(rule)
    ]
    texts = {
        "table.md": page(searched),
        "table.json": json.dumps(tables, indent=2),
        "choices.json": json.dumps(chosen, indent=2),
    }
    for name, text in texts.items():
        with replacing(folder / name) as file:
            file.write(text.encode())


def page(searched: Sequence[Searched]) -> str:
    """The tables of all rules as Markdown."""
    finished = sum(len(one.trials) for one in searched)
    expected = sum(one.expected for one in searched)
    note = NOTE.format(draws=len(searched[0].settings), finished=finished, expected=expected)
    parts = [f"# Random search\n\n{note}\n"]
    for rule, by in RULES.items():
        rows = [one.row(rule) for one in searched]
        table = markdown(rows) if _chosen(rows) else f"{NONE[rule]}\n"
        parts.append(f"## {rule}: {by}\n\n{table}")
    parts.append(f"## Draws that held-back images chose\n\n{_grid(_draws(searched, ', '))}")
    return "\n".join(parts)


def shown(searched: Sequence[Searched]) -> list[Table]:
    """The tables for a terminal: all rules, one below the other, and the draws that one chose."""
    width = max(map(len, NAMES.values()))
    tables = screens(
        [
            row._replace(experiment=f"{NAMES[rule]:<{width}}  {row.experiment}")
            for rule in RULES
            for row in (one.row(rule) for one in searched)
            if row.summary
        ]
    )
    header, *lines = _draws(searched, "\n")
    if 0 < len(lines) <= MOST:
        table = Table(
            title="draws that held-back images chose", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        for name in header:
            table.add_column(name, overflow="fold")
        for line in lines:
            table.add_row(*line)
        tables.append(table)
    return tables


def legend() -> str:
    """What the rules of the tables are, a line for each."""
    width = max(map(len, NAMES.values()))
    return "\n".join(f"{NAMES[rule]:<{width}}  {by}" for rule, by in RULES.items())


def _draws(searched: Sequence[Searched], between: str) -> list[list[str]]:
    """The header and a line for each draw that held-back images chose.

    Args:
        searched: The experiments.
        between: What stands between two settings of a draw.
    """
    lines = [["experiment", "target", "seed", "draw", "held-back images", "settings"]]
    for one in searched:
        for choice in one.choices("source"):
            drawn = one.settings[choice.draw].items()
            settings = between.join(f"{path} {value}" for path, value in drawn)
            tied = f", {choice.tied} tied" if choice.tied > 1 else ""
            lines.append(
                [
                    *(one.experiment, choice.target, str(choice.seed)),
                    f"{choice.draw} of {choice.compared}{tied}",
                    f"{choice.score:.1f}",
                    settings or "as it stands",
                ]
            )
    return lines


def _grid(lines: Sequence[Sequence[str]]) -> str:
    header, *rest = lines
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, ["---"] * len(header), *rest))


def _chosen(rows: Sequence[Row]) -> bool:
    return any(row.summary for row in rows)
