"""The train step of the protocol: jaxclr beside torch as the field does it, and at its best.

Three domains of 16 + 16 images. Each side's step is one process pinned to one core with one thread,
then one on all cores; they take turns. Torch's best is the fastest of the variants, which race on
one core first.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from findings import Finding, Section, doing, number, table, told
from measure import Contestant, Times, compiling, cores, race, ratios, spread, together
from torch_variants import CANDIDATES, can_compile, usable
from workload import CASES

FIELD, BEST, OURS, BASE = "torch, field", "torch, best", "jaxclr", "jaxclr, FixMatch alone"
REACH = {"convnet-32": 0.5, "resnet-32": 0.7, "resnet-224": 0.6}
"""Of torch's best over jaxclr; for 96 px nothing is asked."""
ROUNDS = {"convnet-32": (15, 15), "resnet-32": (3, 2), "resnet-96": (2, 2), "resnet-224": (2, 2)}
"""On one core, and on all."""
SAME = {"resnet-224": "resnet-96"}
"""Whose fastest variant a case takes over: the network is the same, and a race of its own long."""


def measure(cases: Sequence[str], *, scale: float = 1.0, every: bool = False) -> Section:
    """Races every case on one core and on all.

    Args:
        cases: Of the workload.
        scale: Of the numbers of rounds.
        every: Whether compiled variants race, too, wherever there is a compiler.
    """
    findings: list[Finding] = []
    rows: list[list[str]] = []
    raw: dict[str, Any] = {}
    best: dict[str, str] = {}
    for name in cases:
        found, lines, times = case(name, scale, every, best)
        findings += found
        rows += lines
        raw[name] = times
    head = (
        *("step, ms", "cores", OURS, FIELD, BEST, "field / jaxclr", "best / jaxclr"),
        *("best is", "compiling jaxclr, s"),
    )
    note = (
        "Milliseconds are CPU time on one core and wall time on all; where ratios are above 1, "
        "jaxclr is faster."
    )
    if every and not can_compile():
        note += " There was no C++ compiler, so torch.compile was left out."
    return Section(findings, f"{table(head, rows)}\n\n{note}", raw)


def case(
    name: str, scale: float, every: bool, best: dict[str, str]
) -> tuple[list[Finding], list[list[str]], dict[str, Any]]:
    """One case: its findings, its lines of the table, and all times; adds its best variant."""
    findings, lines, raw = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        first = str(Path(folder) / "first.npz")
        doing(f"{CASES[name].title}: which of torch's variants is fastest")
        write_first(name, first)
        if not every and SAME.get(name) in best:
            best[name] = best[SAME[name]]
        else:
            best[name], raw["variants"] = fastest(name, first, every)
        for threads, rounds in zip((1, len(cores())), ROUNDS[name], strict=True):
            if threads == 1 or len(cores()) > 1:
                found, line, times = beside(
                    name, first, best[name], threads, max(round(rounds * scale), 1)
                )
                findings += found
                lines.append(line)
                raw[f"{threads} threads"] = times
    return findings, lines, raw


def contestants(name: str, threads: int) -> list[Contestant]:
    """jaxclr, and on one core of a ResNet its FixMatch."""
    chosen = CASES[name]._asdict()
    found = [Contestant(OURS, "jax_steps:step", threads=threads, case=chosen)]
    if threads == 1 and name == "resnet-32":
        found.append(Contestant(BASE, "jax_steps:step", threads=threads, case=chosen, repels=False))
    return found


def fastest(name: str, first: str, every: bool) -> tuple[str, dict[str, list[Times]]]:
    """The variant of torch's best that takes least CPU time on one core, and all their times."""
    names = usable() if every else CANDIDATES
    chosen = CASES[name]._asdict()
    racers = [
        Contestant(v, "torch_best:step", threads=1, case=chosen, first=first, variant=v)
        for v in names
    ]
    with together(racers):
        times = race(racers, 3 if name == "convnet-32" else 1, turn=0.3)
    return min(names, key=lambda v: spread(t.cpu for t in times[v]).median), times


def write_first(name: str, first: str) -> None:
    """Writes the first weights of a case."""
    with Contestant(
        "weights", "jax_steps:weights", threads=1, case=CASES[name]._asdict(), first=first
    ) as writer:
        writer.ready()


def beside(
    name: str, first: str, variant: str, threads: int, rounds: int
) -> tuple[list[Finding], list[str], dict[str, Any]]:
    """One case on so many cores."""
    chosen = CASES[name]._asdict()
    doing(f"{CASES[name].title}, {threads} threads")
    racers = contestants(name, threads)
    racers += [
        Contestant(FIELD, "torch_field:step", threads=threads, case=chosen, first=first),
        Contestant(
            BEST, "torch_best:step", threads=threads, case=chosen, first=first, variant=variant
        ),
    ]
    with together(racers):
        times = race(racers, rounds)
    findings, line = summed(
        name, threads, variant, times, compile_seconds=compiling(racers[0], times[OURS])
    )
    raw = {
        "times": {side: [t._asdict() for t in found] for side, found in times.items()},
        "first_call": {racer.name: racer.first._asdict() for racer in racers},
    }
    return findings, line, raw


def summed(
    name: str, threads: int, variant: str, times: dict[str, list[Times]], *, compile_seconds: float
) -> tuple[list[Finding], list[str]]:
    """What a race of one case says, and its line of the table."""
    title, which = CASES[name].title, "cpu" if threads == 1 else "wall"
    medians = {
        side: spread(getattr(t, which) for t in found).median for side, found in times.items()
    }
    if medians[FIELD] < medians[BEST]:
        # How the field arranges it may be the fastest of all.
        times, variant = {**times, BEST: times[FIELD]}, "as the field does"
    where = "one core" if threads == 1 else f"{threads} cores"
    findings = []
    for other, reach in ((FIELD, 1.0), (BEST, REACH.get(name))):
        for measure in ("cpu", "wall"):
            findings.append(
                Finding(
                    f"{title}, {where}: {other} over jaxclr, {measure}",
                    ratios(times[other], times[OURS], measure),
                    reach=reach if measure == which else None,
                )
            )
    if BASE in times:
        value = ratios(times[OURS], times[BASE], which)
        findings.append(
            Finding(f"{title}: with FixCLR over without, {which}", value, "times", 1.03, False)
        )
    milliseconds = [
        number(1000 * spread(getattr(t, which) for t in times[side]).median)
        for side in (OURS, FIELD, BEST)
    ]
    shown = [told(ratios(times[side], times[OURS], which)) for side in (FIELD, BEST)]
    line = [title, str(threads), *milliseconds, *shown, variant, number(compile_seconds)]
    return findings, line
