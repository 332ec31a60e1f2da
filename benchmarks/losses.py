"""The losses alone, forward and backward, on one core: jaxclr beside torch, at every size.

FixCLR races its own dense form in JAX, vectorised torch, and torch by loops; SSC, ADC and NT-Xent
vectorised torch. Both sides' values, and their gradients along one vector, must agree first.
"""

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from findings import Finding, Section, doing, number, table, told
from measure import (
    Contestant,
    ContestantError,
    Spread,
    Times,
    TooSlow,
    ratios,
    spread,
    steps_for,
    together,
)  # fmt: skip
from pairs_work import LOSSES, SIZES, Size
from torch_variants import can_compile

TITLES = {"fixclr": "FixCLR", "ssc": "SSC", "adc": "ADC", "nt_xent": "NT-Xent"}
OURS, TORCH, DENSE, LOOPS = "jaxclr", "torch", "dense", "loops"
TOLERANCE, SLOPE_TOLERANCE = 1e-4, 1e-3
LIMIT = 30.0
"""Seconds that one pass of the loops may take."""
FEW = 1.0
"""From so many seconds a step on, rounds are few."""
WAYS = {
    "fixclr": (
        {"loss": "fixclr, trusted alone"},
        {"loss": "fixclr, in blocks"},
        {"loss": "fixclr", "compiled": True},
    ),
    "ssc": ({"loss": "ssc"}, {"loss": "ssc", "compiled": True}),
}
"""Ways in which torch may compute a loss, the fastest of which races. In small batches, and of the
other losses, torch.compile makes slower ones."""
MIB = 2.0**20


def measure(sizes: Sequence[Size] = SIZES, *, rounds: int = 7, few: int = 2) -> Section:
    """Races every loss at every size.

    Args:
        sizes: Of batches.
        rounds: Of steps that take less than a second.
        few: Of others; over five seconds one.
    """
    times: dict[str, dict[str, dict[str, list[Times]]]] = {}
    temporary: dict[str, dict[str, float]] = {}
    for size in sizes:
        racers = {
            OURS: Contestant(OURS, "jax_losses:choosing", threads=1),
            DENSE: Contestant(DENSE, "jax_losses:choosing", threads=1),
            TORCH: Contestant(TORCH, "torch_pairs:choosing", threads=1),
            LOOPS: Contestant(LOOPS, "torch_pairs:choosing", threads=1),
        }
        times[size.title], temporary[size.title] = {}, {}
        with together(list(racers.values())):
            for loss in LOSSES:
                found, memory = raced(racers, loss, size, rounds, few)
                times[size.title][loss] = found
                temporary[size.title] |= memory
    findings = [x for s, found in times.items() for x in speeds(s, found)]
    findings += memories(sizes, temporary)
    raw = {
        "times": {
            size: {loss: {w: [*t] for w, t in found.items()} for loss, found in of_size.items()}
            for size, of_size in times.items()
        },
        "temporary_bytes": temporary,
    }
    return Section(findings, tables(times, temporary), raw)


def raced(
    racers: Mapping[str, Contestant], loss: str, size: Size, rounds: int, few: int
) -> tuple[dict[str, list[Times]], dict[str, float]]:
    """Times of a step of everybody who computes a loss, and JAX's temporary memory in bytes."""
    doing(f"{TITLES[loss]} at {size.title}")
    names = {OURS: loss, TORCH: loss}
    if loss == "fixclr":
        names |= {DENSE: "fixclr_dense", LOOPS: "loops"}
    first, told_by, found, memory = {}, {}, {}, {}
    for who, name in names.items():
        with contextlib.suppress(TooSlow):
            how = fastest(racers[TORCH], loss, size) if who == TORCH else {"loss": name}
            chosen = racers[who].tell(size=size, **how)
            if how.get("compiled"):
                racers[who].steps(1)
            first[who] = racers[who].steps(1, LIMIT)
            told_by[who] = racers[who].tell()
            if "temporary" in chosen:
                memory[name] = chosen["temporary"]
    check(loss, size, told_by)
    # A long first pass is like any other: whatever is compiled was so before.
    if LOOPS in first and first[LOOPS].wall > 4 * FEW:
        found[LOOPS] = [first.pop(LOOPS)]
    slowest = max(t.wall for t in first.values())
    if slowest > FEW:
        found |= {who: [t] for who, t in first.items()}
        counts, rounds = dict.fromkeys(first, 1), few - 1 if slowest < 5 * FEW else 0
    else:
        counts = {who: steps_for(0.15, racers[who].steps(1)) for who in first}
        found |= {who: [] for who in first}
    order = list(first)
    for turn in range(rounds):
        shift = turn % len(order)
        for who in (*order[shift:], *order[:shift]):
            found[who].append(racers[who].steps(counts[who]))
    return found, memory


def fastest(torch: Contestant, loss: str, size: Size) -> dict[str, Any]:
    """Which of torch's ways to compute a loss takes least CPU time."""
    ways = WAYS.get(loss, ({"loss": loss},))
    taken = []
    for way in ways:
        if not way.get("compiled") or (can_compile() and size.examples >= 2048):
            torch.tell(size=size, **way)
            time = torch.steps(1)
            # Of what is not compiled, a long first pass is like any other.
            if way.get("compiled") or time.wall < FEW:
                time = torch.steps(1)
            taken.append((time.cpu, way))
    return min(taken, key=lambda pair: pair[0])[1]


def check(loss: str, size: Size, told_by: Mapping[str, Mapping[str, float]]) -> None:
    """Raises ``ContestantError`` where two do not compute the same."""
    ours = told_by[OURS]
    for who, other in told_by.items():
        off = abs(other["value"] - ours["value"]) / max(abs(ours["value"]), 1e-6)
        apart = abs(other["slope"] - ours["slope"]) / max(abs(ours["slope"]), 1e-4)
        if not (off < TOLERANCE and apart < SLOPE_TOLERANCE):
            raise ContestantError(f"{loss} at {size.title}: {OURS} {ours}, {who} {other}")


def one_by_one(over: Sequence[Times], under: Sequence[Times]) -> Spread:
    """CPU ratios round by round; of one time alone, its ratio to the other side's median."""
    if len(over) == len(under):
        return ratios(over, under, "cpu")
    median = spread(t.cpu for t in under).median
    return spread(t.cpu / median for t in over)


def speeds(size: str, found: Mapping[str, Mapping[str, list[Times]]]) -> list[Finding]:
    """The ratios of a size, beside their reach."""
    findings = []
    for loss, by in found.items():
        title = f"{TITLES[loss]} at {size}"
        reach = {"fixclr": 1.3, "ssc": 1.0, "adc": 1.0}.get(loss)
        findings.append(
            Finding(f"{title}: torch over jaxclr", one_by_one(by[TORCH], by[OURS]), reach=reach)
        )
        if loss == "fixclr":
            dense = one_by_one(by[OURS], by[DENSE])
            findings.append(Finding(f"{title}: jaxclr over dense", dense, "times", 1.4, False))
            if LOOPS in by:
                loops = one_by_one(by[LOOPS], by[OURS])
                findings.append(Finding(f"{title}: loops over jaxclr", loops, reach=10.0))
    return findings


def memories(sizes: Sequence[Size], temporary: Mapping[str, Mapping[str, float]]) -> list[Finding]:
    """How temporary memory grows between the two largest sizes, and how much it is."""
    if len(sizes) < 2:
        return []
    small, large = sizes[-2:]
    findings = []
    for loss, name in TITLES.items():
        least, most = (temporary[size.title][loss] for size in (small, large))
        grown = math.log(most / least) / math.log(large.examples / small.examples)
        title = f"{name}: temporary memory"
        exponent = Spread(grown, grown, grown)
        step = f"exponent from {small.examples:,} to {large.examples:,}"
        reach = 1.1 if loss != "nt_xent" else None
        findings.append(Finding(f"{title}, {step}", exponent, "", reach, False))
        mib = most / MIB
        reach = 150.0 if loss == "fixclr" else None
        findings.append(
            Finding(f"{title} at {large.examples:,}", Spread(mib, mib, mib), "MiB", reach, False)
        )
    return findings


def tables(
    times: Mapping[str, Mapping[str, Mapping[str, list[Times]]]],
    temporary: Mapping[str, Mapping[str, float]],
) -> str:
    """A line per size and loss."""
    rows = []
    for size, found in times.items():
        for loss, by in found.items():

            def ms(who: str, by: Mapping[str, list[Times]] = by) -> str:
                return number(1000 * spread(t.cpu for t in by[who]).median) if who in by else ""

            loops = ms(LOOPS) or (f"not measured: over {LIMIT:.0f} s" if loss == "fixclr" else "")
            memory = [temporary[size].get(f"{loss}{x}") for x in ("", "_dense")]
            rows.append(
                [
                    f"{TITLES[loss]}, {size}", ms(OURS), ms(DENSE), ms(TORCH), loops,
                    told(one_by_one(by[TORCH], by[OURS])),
                    *("" if m is None else number(m / MIB) for m in memory),
                ]
            )  # fmt: skip
    head = ("loss; examples, classes, domains", OURS, "dense in JAX", TORCH, "torch, loops")
    head += ("torch / jaxclr", "jaxclr, MiB", "dense, MiB")
    note = "Milliseconds are CPU time of value and gradient on one core; MiB are temporary memory."
    return f"{table(head, rows)}\n\n{note}"
