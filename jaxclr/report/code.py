"""Experiments as code, and in which settings they differ."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from jaxclr.report.table import NOTHING, Table

SETTING = re.compile(r"(?P<indent> *)(?P<name>\w+=|'[^']*': )(?P<value>.*)")
"""A line of :func:`jaxclr.experiment.as_code` that says what a setting is."""
KIND = "experiment"
"""What the first line of all is the setting of."""


class Line(NamedTuple):
    """A line of an experiment's code."""

    text: str
    differs: bool
    """Whether another experiment has another value there, or no such setting."""


def marked(codes: Sequence[str]) -> list[list[Line]]:
    """The lines of each experiment, those marked that are not the same in all.

    A line is compared with the line of the same setting, wherever that stands. Comments, which name
    imports, and closing brackets say nothing of their own, and are not compared.
    """
    settings = [_settings(code) for code in codes]
    found = []
    for code in codes:
        paths = _paths(code)
        found.append(
            [
                Line(text, path is not None and len({s.get(path) for s in settings}) > 1)
                for text, path in zip(code.splitlines(), paths, strict=True)
            ]
        )
    return found


def setting_table(names: Sequence[str], codes: Sequence[str]) -> Table:
    """A row for each setting that differs, with its path as the command line has it.

    The experiments' names, which always differ, are not among them.
    """
    settings = [_settings(code) for code in codes]
    paths = dict.fromkeys(path for each in settings for path in each)
    rows = [
        (path, *(each.get(path, NOTHING) for each in settings))
        for path in paths
        if path != "name" and len({each.get(path) for each in settings}) > 1
    ]
    return Table(("setting", *names), tuple(rows))


def _settings(code: str) -> dict[str, str]:
    """Every setting by its path; of one with settings of its own, its kind."""
    return {
        path: _value(text)
        for text, path in zip(code.splitlines(), _paths(code), strict=True)
        if path is not None
    }


def _value(text: str) -> str:
    match = SETTING.fullmatch(text)
    value = match["value"] if match else text
    return value.removesuffix(",").rstrip("({")


def _paths(code: str) -> list[str | None]:
    """Of every line the path of the setting that it begins; None where it begins none."""
    found: list[str | None] = []
    above: list[tuple[int, str]] = []
    for text in code.splitlines():
        match = SETTING.fullmatch(text)
        if match is None:
            found.append(KIND if re.match(r"\w", text) else None)
            continue
        depth = len(match["indent"])
        above = [part for part in above if part[0] < depth]
        above.append((depth, match["name"].rstrip("=: ").strip("'")))
        found.append(".".join(name for _, name in above))
    return found
