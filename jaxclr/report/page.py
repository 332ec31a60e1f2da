"""The page of a report: what is known, put into the template beside this file."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxclr.report.code import marked, setting_table
from jaxclr.report.material import Material
from jaxclr.report.table import Table
from jaxclr.report.words import counted, joined

INCH = 100
"""Pixels of the page to an inch of a figure."""

SHOWN = 3
"""How many commits, or devices, the head of the page names."""


class Shown(NamedTuple):
    """A picture as the page has it."""

    name: str
    title: str
    png: bytes
    inches: tuple[float, float]
    alt: str
    caption: str
    listing: Table | None

    @property
    def base64(self) -> str:
        """The picture as text, to lie within the page."""
        return base64.b64encode(self.png).decode()

    @property
    def width(self) -> int:
        """In pixels of the page."""
        return round(self.inches[0] * INCH)

    @property
    def height(self) -> int:
        """In pixels of the page."""
        return round(self.inches[1] * INCH)


class Section(NamedTuple):
    """Pictures under a heading, or a sentence why there are none."""

    anchor: str
    title: str
    texts: tuple[str, ...]
    pictures: tuple[Shown, ...]


class Tables(NamedTuple):
    """The tables of a page."""

    accuracy: Table
    difference: Table
    """Without rows where there is no baseline."""
    measures: Table


def page(
    material: Material, tables: Tables, sections: Sequence[Section], title: str | None = None
) -> str:
    """The whole page, as HTML that needs no other file.

    Args:
        material: What it is about.
        tables: Those at its top.
        sections: The pictures beneath.
        title: Its heading; none: the experiments' names.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    env.filters["breakable"] = _breakable
    names = [group.name for group in material.groups]
    codes = [group.records[0].code for group in material.groups]
    return env.get_template("page.html").render(
        title=title or _title(names),
        lead=_lead(material),
        facts=_facts(material),
        notes=material.notes,
        contents=[
            ("accuracy", "Accuracy"),
            ("measures", "All measures"),
            *((section.anchor, section.title) for section in sections),
            ("settings", "Settings"),
            ("files", "Files"),
        ],
        spread=_spread(material),
        baseline=material.baseline.name if material.baseline else "",
        single=_single(tables.difference),
        chance=_chance(material),
        sections=sections,
        settings=setting_table(names, codes),
        codes=list(zip(names, marked(codes), strict=True)),
        **tables._asdict(),
    )


def _breakable(text: str) -> Any:
    """Lets a name go on in the next line after a dot or an underscore."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"(?<=[._])", "<wbr>", str(escape(text))))


def _title(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{names[0]} and {len(names) - 1} other experiments"
    return joined(names)


def _lead(material: Material) -> str:
    runs, targets = len(material.records), len(material.targets)
    seeds = len({record.results["seed"] for record in material.records})
    return (
        f"{counted(runs, 'finished run')} of {counted(len(material.groups), 'experiment')}: "
        f"{counted(targets, 'held-out domain')}, {counted(seeds, 'seed')}."
    )


def _facts(material: Material) -> list[tuple[str, str]]:
    """What was run, and by what; without dates, so that equal runs have equal reports."""
    results = [record.results for record in material.records]
    found: list[tuple[str, list[Any]]] = [
        ("Data set", [r.get("dataset") for r in results]),
        ("Domains", [", ".join(material.domains)]),
        ("Classes", [len(results[0]["classes"])]),
        ("Held out", [", ".join(material.targets)]),
        ("Seeds", [", ".join(map(str, sorted({r["seed"] for r in results})))]),
        ("Steps", [r.get("steps") for r in results]),
        ("Device", [r.get("device") for r in results]),
        ("Commit", [_commit(r.get("git_commit")) for r in results]),
        ("Versions", [_versions(r.get("versions", {})) for r in results]),
    ]
    told = ((name, [str(v) for v in values if v not in (None, "")]) for name, values in found)
    return [(name, _several(list(dict.fromkeys(values)))) for name, values in told if values]


def _several(values: Sequence[str]) -> str:
    more = len(values) - SHOWN
    return f"{'; '.join(values[:SHOWN])}{f'; and {more} more' if more > 0 else ''}"


def _commit(commit: str | None) -> str | None:
    if commit is None:
        return None
    number, _, changed = commit.partition("-")
    return f"{number[:12]}{' with changes' if changed else ''}"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _spread(material: Material) -> str:
    if len({record.results["seed"] for record in material.records}) < 2:
        return "There is one seed, so no spread is told."
    return (
        "± is the population standard deviation over seeds, as in the protocol of the field; that "
        "of the mean is of the seeds' own means over targets."
    )


def _single(difference: Table) -> str:
    if any(row[-1] == "1" for row in difference.rows):
        return "A single pair has no interval."
    return ""


def _chance(material: Material) -> str:
    count = max(len(record.results.get("domains", ())) for record in material.records)
    return f": chance is {100 / count:.1f} %" if count else ""
