"""How cost grows with devices, domains, classes and the batch: a table, and ``growth.png``."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from findings import Section, doing, number, table
from measure import HERE, Contestant, Times, cores, spread
from pairs_work import Size
from workload import Case

PLOT = HERE / "growth.png"
MIB, GIB = 2.0**20, 2.0**30
SHARE = 0.5
"""Of the machine's memory that a step may take."""
# Okabe and Ito's colours, told apart by the colour-blind; markers differ, too.
COLOURS = {"step": ("#0072B2", "o"), "FixCLR": ("#D55E00", "s")}


class Point(NamedTuple):
    """One cost."""

    series: str
    """``step`` or ``FixCLR``."""
    axis: str
    at: int
    told: str
    """What else was as it was."""
    times: list[Times]
    """Empty where the step did not fit in memory."""
    temporary: float
    """Bytes beside weights and batch, on one device."""

    @property
    def wall(self) -> float:
        """Median seconds of a step."""
        return spread(t.wall for t in self.times).median


STEPS = {
    "devices": [(n, Case("convnet", 32), n) for n in (1, 2, 4, 8)],
    "domains": [
        (n, Case("convnet", 32, domains=n, per_domain=240 // n), 1) for n in (3, 6, 15, 30, 60)
    ],
    "classes": [(k, Case("convnet", 32, classes=k), 1) for k in (7, 65, 345, 1000)],
    "batch": [(6 * rows, Case("convnet", 32, per_domain=rows), 1) for rows in (16, 64, 256, 1365)],
}
"""Of every axis: where, the case, and how many devices. A batch of 8,190 is 6 x 1,365."""
PAIRS = {
    "domains": [(n, Size(1920, 65, n)) for n in (3, 6, 15, 30, 60)],
    "classes": [(k, Size(2048, k, 4)) for k in (7, 65, 345, 1000)],
    "batch": [(n, Size(n, 65, 3)) for n in (96, 384, 1536, 8190)],
}


def measure(*, rounds: int = 3) -> Section:
    """Measures every point.

    Args:
        rounds: Of each point; those that take over five seconds have one.
    """
    points = steps(rounds) + losses(rounds)
    rows = [
        (
            point.axis, f"{point.at:,}", point.series, point.told,
            *(
                (number(1000 * point.wall), number(1000 * spread(t.cpu for t in point.times)[0]))
                if point.times
                else ("not measured: too large for this machine", "")
            ),
            number(point.temporary / MIB),
        )
        for point in points
    ]  # fmt: skip
    head = ("what grows", "to", "of", "the rest", "wall, ms", "CPU, ms", "temporary, MiB a device")
    raw = {"points": [point._asdict() for point in points]}
    return Section([], table(head, rows), raw)


def turns(contestant: Contestant, rounds: int) -> list[Times]:
    """Times of a step; the first one is not counted, unless it takes over five seconds."""
    first = contestant.steps(1)
    if first.wall > 5:
        return [first]
    count = max(1, min(50, round(0.2 / first.wall)))
    return [contestant.steps(count) for _ in range(rounds)]


def steps(rounds: int) -> list[Point]:
    """The train step at every point, the devices each in a process of their own."""
    most = SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    points = []
    for devices in sorted({d for axis in STEPS.values() for _, _, d in axis}):
        with Contestant(
            f"{devices} devices", "jax_steps:steps_of_any", threads=len(cores()),
            devices=devices, most_bytes=most,
        ) as contestant:  # fmt: skip
            contestant.ready()
            for axis, wanted in STEPS.items():
                for at, case, count in wanted:
                    if count == devices:
                        points.append(step(contestant, axis, at, case, rounds))
    return sorted(points, key=lambda point: (list(STEPS).index(point.axis), point.at))


def step(contestant: Contestant, axis: str, at: int, case: Case, rounds: int) -> Point:
    """One point of the train step."""
    doing(f"a step, {axis}: {at:,}")
    found = contestant.tell(case=case._asdict())
    images = 2 * case.per_domain * case.domains
    rest = f"{images:,} images, {case.domains} domains, {case.classes} classes"
    times = turns(contestant, rounds) if found["fits"] else []
    return Point("step", axis, at, rest, times, found["temporary"])


def losses(rounds: int) -> list[Point]:
    """FixCLR alone at every point, on one core."""
    points = []
    with Contestant("FixCLR", "jax_losses:choosing", threads=1) as contestant:
        contestant.ready()
        for axis, wanted in PAIRS.items():
            for at, size in wanted:
                doing(f"FixCLR, {axis}: {at:,}")
                found = contestant.tell(loss="fixclr", size=size)
                n, k, domains = size
                rest = f"{n:,} examples, {domains} domains, {k} classes"
                times = turns(contestant, rounds)
                points.append(Point("FixCLR", axis, at, rest, times, found["temporary"]))
    return points


def draw(points: Sequence[Point]) -> None:
    """A panel for every axis: cost relative to that of its first point."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(STEPS), figsize=(12, 3.2), sharey=True)
    for panel, axis in zip(panels, STEPS, strict=True):
        for series, (colour, marker) in COLOURS.items():
            chosen = [p for p in points if (p.series, p.axis) == (series, axis) and p.times]
            if chosen:
                relative = [p.wall / chosen[0].wall for p in chosen]
                ats = [p.at for p in chosen]
                panel.plot(ats, relative, color=colour, marker=marker, label=series)
        panel.set(xscale="log", yscale="log", xlabel=axis)
        panel.grid(alpha=0.3)
        told: Any = sorted({p.at for p in points if p.axis == axis})
        panel.set_xticks(told, [f"{at:,}" for at in told], fontsize=8)
        panel.minorticks_off()
    panels[0].set_ylabel("time, over the first point's")
    panels[-1].legend()
    figure.tight_layout()
    temporary = PLOT.with_suffix(".tmp.png")
    figure.savefig(temporary, dpi=120)
    pyplot.close(figure)
    temporary.replace(PLOT)
