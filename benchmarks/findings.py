"""What a benchmark finds: figures beside what they are to reach, stored, printed and in tables."""

import datetime
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from measure import HERE, Spread

RESULTS, README = HERE / "results.json", HERE / "README.md"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch")


class Finding(NamedTuple):
    """One figure, and what it is to reach."""

    name: str
    """What was measured."""
    value: Spread
    """Over the rounds; median, least and greatest are one where there was one round."""
    unit: str = "times"
    reach: float | None = None
    """None: it is told, not judged."""
    at_least: bool = True
    """Whether more is better."""

    @property
    def reached(self) -> bool | None:
        """Whether the median is as good as it should be; None where nothing is asked."""
        if self.reach is None:
            return None
        median = self.value.median
        return median >= self.reach if self.at_least else median <= self.reach


class Section(NamedTuple):
    """One part of the benchmarks."""

    findings: list[Finding]
    tables: str
    """In Markdown."""
    raw: dict[str, Any]
    """All times, for who wants to count anew."""


def doing(what: str) -> None:
    """Tells, beside what is printed, what is measured now."""
    print(f"{datetime.datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:.0f}"
    digits = 2
    while abs(value) < 10 ** (2 - digits) and digits < 7:
        digits += 1
    return f"{value:.{max(digits - (abs(value) >= 10) - (abs(value) >= 100), 0)}f}"


def told(value: Spread) -> str:
    """A median with its range, which is left out where there was one value."""
    if value.min == value.max:
        return number(value.median)
    return f"{number(value.median)} ({number(value.min)} to {number(value.max)})"


def asked(finding: Finding) -> str:
    """What a finding should be."""
    if finding.reach is None:
        return ""
    return f"{'at least' if finding.at_least else 'at most'} {number(finding.reach)}"


def verdict(finding: Finding) -> str:
    """Whether it is."""
    return {None: "", True: "reached", False: "not reached"}[finding.reached]


def line(finding: Finding) -> str:
    """A finding for the screen."""
    unit = "" if finding.unit in ("", "times") else f" {finding.unit}"
    rest = "; ".join(x for x in (asked(finding), verdict(finding)) if x)
    return f"{finding.name}: {told(finding.value)}{unit}{f' [{rest}]' if rest else ''}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all but the first column are figures."""
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def judged(findings: Sequence[Finding]) -> str:
    """The findings that something is asked of, as a table."""
    rows = [
        (f.name, told(f.value), "" if f.unit == "times" else f.unit, asked(f), verdict(f))
        for f in findings
        if f.reach is not None
    ]
    return table(("figure", "median (range)", "unit", "reach", ""), rows) if rows else ""


def machine() -> dict[str, Any]:
    """What the figures were measured on, and with."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [x.split(":")[1].strip() for x in lines if x.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def version(package: str) -> str | None:
    """Of what is installed; None where it is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def measured(name: str, function: Callable[[], Section]) -> dict[str, Any]:
    """Runs a section, prints its findings, and returns it with when and on what it was run."""
    begun = time.perf_counter()
    section = function()
    for finding in section.findings:
        print(line(finding), flush=True)
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "seconds": round(time.perf_counter() - begun, 1),
        "findings": [
            {**f._asdict(), "value": f.value._asdict(), "reached": f.reached}
            for f in section.findings
        ],
        "tables": f"{section.tables}\n\n{judged(section.findings)}".strip(),
        "raw": section.raw,
    }


def written(path: Path, text: str) -> None:
    """Writes a file, whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def stored(path: Path = RESULTS) -> dict[str, Any]:
    """The sections that were measured before."""
    return json.loads(path.read_text()) if path.exists() else {}


def filled(text: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
    """The text with each section's tables between its two markers.

    Raises:
        ValueError: A section has no markers, or one only.
    """
    for name, section in sections.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise ValueError(f"The README needs the markers {begin} and {end}, in this order.")
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{header(section)}\n\n{section['tables']}\n{end}{after}"
    return text


def header(section: Mapping[str, Any]) -> str:
    """When, on what and with what a section was measured."""
    on = section["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in on["versions"].items() if found)
    return (
        f"Measured on {section['date']} in {section['seconds']:.0f} s: {on['processor']}, "
        f"{on['cores']} cores, {on['memory_gib']} GiB; Python {on['python']}, {versions}."
    )
