"""The finished runs of experiments, as they are read from their folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxclr.records import Record, read_records
from jaxclr.report.measured import measured
from jaxclr.report.paired import Pair
from jaxclr.report.words import shortened

SHOWN = 4
"""How many runs a note names."""

Runs = Mapping[str, Sequence[Record]]
"""The runs of each experiment, by its name."""


class Group(NamedTuple):
    """The finished runs of one experiment."""

    name: str
    """What tables and figures call it; that of its folder is in it where two are named alike."""
    folder: Path
    """``<workdir>/<experiment>``."""
    records: tuple[Record, ...]
    """By target and seed, one of each; see :func:`groups_of` for what they lack."""

    @property
    def pairs(self) -> dict[Pair, Record]:
        """Its runs by target and seed."""
        return {_pair(record): record for record in self.records}


def groups_of(folders: Sequence[Path]) -> tuple[tuple[Group, ...], list[str]]:
    """Reads the runs of experiments, each run once.

    Their results have what :func:`~jaxclr.report.measured.measured` adds. Features and pictures of
    mistakes, which are large, are not kept: :func:`jaxclr.records.read_record` has them again.

    Args:
        folders: Of experiments, or of single runs.

    Returns:
        The experiments in the order given, no two of one name, and a sentence on each that has
        several runs of one target and seed.

    Raises:
        InputError: A folder holds no finished run, or a damaged one.
    """
    found: dict[Path, dict[Path, Record]] = {}
    for folder in folders:
        for record in read_records(folder):
            place = record.folder.resolve()
            found.setdefault(place.parent.parent, {})[place] = _light(record)
    names = [str(next(iter(runs.values())).results["experiment"]) for runs in found.values()]
    groups, notes = [], []
    for name, (home, runs) in zip(_told_apart(names, list(found)), found.items(), strict=True):
        once = _once(runs)
        groups.append(Group(name, home, tuple(runs[place] for place in once.values())))
        others = [_within(place) for place in runs if place not in once.values()]
        if others:
            notes.append(
                f"{name} has several runs of one target and seed, of which one counts: "
                f"{shortened(others, SHOWN)} {'is' if len(others) == 1 else 'are'} left out."
            )
    return tuple(groups), notes


def _light(record: Record) -> Record:
    return record._replace(results=measured(record), features=None, mistakes=None)


def _told_apart(names: Sequence[str], homes: Sequence[Path]) -> list[str]:
    """Those that are there twice get as much of their path's end as no other has."""
    told = list(names)
    for length in range(2, max(len(home.parts) for home in homes) + 1):
        if len(set(told)) == len(told):
            break
        told = [
            name if names.count(name) == 1 else f"{name} ({Path(*home.parts[-length:]).as_posix()})"
            for name, home in zip(names, homes, strict=True)
        ]
    return told


def _once(runs: Mapping[Path, Record]) -> dict[Pair, Path]:
    """Of every target and seed the folder that a run has by itself, or else the first."""
    found: dict[Pair, list[Path]] = {}
    for place, record in runs.items():
        found.setdefault(_pair(record), []).append(place)
    return {
        (target, seed): max(
            places, key=lambda p: (p.name == f"seed{seed}", p.parent.name == target)
        )
        for (target, seed), places in found.items()
    }


def _pair(record: Record) -> Pair:
    return record.results["target"], record.results["seed"]


def _within(place: Path) -> str:
    return f"{place.parent.name}/{place.name}"
