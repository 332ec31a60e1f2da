"""What a report is made from: the finished runs of each experiment, and what to know of them."""

import filecmp
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxclr.errors import InputError, nearest
from jaxclr.records import Record
from jaxclr.report.groups import SHOWN, Group, groups_of
from jaxclr.report.paired import Pair
from jaxclr.report.words import counted, shortened


class Material(NamedTuple):
    """All that a report is about."""

    groups: tuple[Group, ...]
    """In the order given; one at least."""
    baseline: Group | None
    """Which the others are compared with; None of a single experiment."""
    domains: tuple[str, ...]
    """That are known of, in the data set's order where it can be told."""
    targets: tuple[str, ...]
    """Those of them that some run held out."""
    notes: tuple[str, ...]
    """Sentences on what is missing, or does not go together."""

    @property
    def records(self) -> tuple[Record, ...]:
        """Every run of every experiment."""
        return tuple(record for group in self.groups for record in group.records)


def gather(folders: Sequence[Path], baseline: Path | None = None) -> Material:
    """Reads the runs of experiments and looks whether they go together.

    Args:
        folders: Of experiments, or of single runs.
        baseline: One of them; none: the first of several.

    Raises:
        InputError: A folder holds no finished run, or a damaged one; the baseline is not among
            them.
    """
    if not folders:
        raise InputError("Give the folder of an experiment's runs, such as runs/digits_fixclr.")
    groups, twice = groups_of(folders)
    base = groups[0] if baseline is None else _found(baseline, groups)
    groups, notes = _of_one_dataset(groups, base)
    domains = _domains(groups)
    held_out = {target for group in groups for target, _ in group.pairs}
    targets = tuple(domain for domain in domains if domain in held_out)
    groups = tuple(_sorted(group, targets) for group in groups)
    base = next(group for group in groups if group.folder == base.folder)
    notes += [
        *twice,
        *_missing(groups, targets),
        *_untested(domains, targets),
        *(note for group in groups if group is not base for note in _other_labels(group, base)),
        *_older(groups),
        *_other_versions(groups),
    ]
    return Material(groups, base if len(groups) > 1 else None, domains, targets, tuple(notes))


def _found(baseline: Path, groups: Sequence[Group]) -> Group:
    place = baseline.resolve()
    holding = [group for group in groups if group.folder in (place, *place.parents)]
    if holding:
        return max(holding, key=lambda group: len(group.folder.parts))
    # An experiment's name is as good where it is no folder.
    if named := [group for group in groups if group.name == str(baseline)]:
        return named[0]
    raise InputError(
        f"--baseline: {baseline} is not among the experiments of the report. "
        f"{nearest(str(baseline), [str(group.folder) for group in groups])}"
    )


def _of_one_dataset(groups: tuple[Group, ...], base: Group) -> tuple[tuple[Group, ...], list[str]]:
    """Those with the baseline's data, and a sentence on each of the others."""
    kept, notes = [], []
    for group in groups:
        if _same_data(group, base):
            kept.append(group)
        else:
            notes.append(
                f"{group.name} is left out: it is on other data than {base.name} "
                f"({_data_told(group)}, not {_data_told(base)}). Make a report of its own."
            )
    return tuple(kept), notes


def _same_data(one: Group, other: Group) -> bool:
    """Older versions do not name the data set; the names of the classes tell much of it."""
    names = {name for group in (one, other) if (name := _dataset(group)) is not None}
    return len(names) < 2 and _classes(one) == _classes(other)


def _dataset(group: Group) -> str | None:
    return next((name for r in group.records if (name := r.results.get("dataset"))), None)


def _classes(group: Group) -> list[str]:
    return list(group.records[0].results["classes"])


def _data_told(group: Group) -> str:
    return f"{_dataset(group) or 'data without a name'} with {len(_classes(group))} classes"


def _domains(groups: Iterable[Group]) -> tuple[str, ...]:
    """In the data set's order, of which each run tells that of its sources."""
    records = [record for group in groups for record in group.records]
    places: dict[str, list[int]] = {}
    for record in records:
        for place, domain in enumerate(record.results.get("domains", ())[:-1]):
            places.setdefault(domain, []).append(place)
    names = dict.fromkeys(
        domain
        for record in records
        for domain in (*record.results.get("domains", ()), record.results["target"])
    )
    mean = {domain: sum(found) / len(found) for domain, found in places.items()}
    return tuple(sorted(names, key=lambda domain: mean.get(domain, len(names))))


def _sorted(group: Group, targets: Sequence[str]) -> Group:
    """Its runs in the order of the targets, then of the seeds."""
    order = {pair: (targets.index(pair[0]), pair[1]) for pair in group.pairs}
    records = [record for _, record in sorted(group.pairs.items(), key=lambda run: order[run[0]])]
    return group._replace(records=tuple(records))


def _missing(groups: Iterable[Group], targets: Sequence[str]) -> list[str]:
    """Targets times seeds of all experiments are what each should have."""
    groups = list(groups)
    seeds = sorted({seed for group in groups for _, seed in group.pairs})
    notes = []
    for group in groups:
        lacking = [(t, s) for t in targets for s in seeds if (t, s) not in group.pairs]
        if lacking:
            expected = len(targets) * len(seeds)
            notes.append(f"{group.name} lacks {_runs(lacking)} of {expected}: {_listed(lacking)}.")
    return notes


def _untested(domains: Sequence[str], targets: Sequence[str]) -> list[str]:
    unseen = [domain for domain in domains if domain not in targets]
    if not unseen:
        return []
    return [
        f"Means over targets are over {len(targets)} of the {len(domains)} domains: no run holds "
        f"out {', '.join(unseen)}."
    ]


def _other_labels(group: Group, base: Group) -> list[str]:
    """Runs of one target and seed are meant to learn from the same labels."""
    both = [pair for pair in group.pairs if pair in base.pairs]
    unlike = [p for p in both if _unlike(group.pairs[p], base.pairs[p])]
    if not unlike:
        return []
    return [
        f"{group.name} and {base.name} learned from different splits in {_runs(unlike)} of "
        f"{len(both)} ({_listed(unlike)}): their differences are of the labels, too."
    ]


def _unlike(one: Record, other: Record) -> bool:
    files = [sorted(r.folder.glob("*_nlab*_seed*.json")) for r in (one, other)]
    if not all(files):
        return False
    return not filecmp.cmp(files[0][0], files[1][0], shallow=False)


def _older(groups: Iterable[Group]) -> list[str]:
    told = []
    for group in groups:
        older = [pair for pair, record in group.pairs.items() if record.predictions is None]
        if len(older) == len(group.records):
            told.append(f"all runs of {group.name}")
        elif older:
            told.append(f"{_runs(older)} of {group.name} ({_listed(older)})")
    if not told:
        return []
    return [
        f"Without tested.npz, as of older versions: {', '.join(told)}. Confusion, calibration, "
        "mistakes, features and what is reckoned from them are of other runs alone."
    ]


def _other_versions(groups: Iterable[Group]) -> list[str]:
    found: dict[str, set[str]] = {}
    for group in groups:
        for record in group.records:
            for package, version in record.results.get("versions", {}).items():
                found.setdefault(package, set()).add(version)
    unlike = [f"{p} {', '.join(sorted(v))}" for p, v in found.items() if len(v) > 1]
    return [f"The runs were made by different versions of {'; '.join(unlike)}."] if unlike else []


def _runs(pairs: Sequence[Pair]) -> str:
    return counted(len(pairs), "run")


def _listed(pairs: Sequence[Pair]) -> str:
    return shortened([f"{target} seed {seed}" for target, seed in pairs], SHOWN)
