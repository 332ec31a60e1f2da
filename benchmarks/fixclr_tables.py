"""Tables and pictures of the study of FixCLR, from its file of runs alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import grid
import numpy as np
from scipy import stats

FIGURES = (
    *("accuracy", "held_back_accuracy", "pseudo_label_keep_rate", "pseudo_label_accuracy"),
    *("domain_probe_accuracy", "supervised_gradient", "consistency_gradient"),
    "repulsion_gradient",
)
BASE = "fixmatch"
READINGS = {
    ("pairs", "True"): "pairs",
    ("anchors", "True"): "anchors",
    ("group_means", "True"): "group means",
    ("pairs", "False"): "no numerator",
}
PLAIN = {
    "reduction": "mean", "ramp": "0.0", "vectors": "features", "centred": "False",
    "views": "strong", "trust": "trusted", "attraction": "0.0", "curriculum": "none",
}  # fmt: skip
"""Settings that are not told where they are so."""
WORDS = {
    ("reduction", "sum"): "sum",
    ("vectors", "embedding"): "projected",
    ("centred", "True"): "centred",
    ("views", "both"): "weak views, too",
    ("trust", "all"): "all guesses",
    ("attraction", "1.0"): "attraction",
    ("curriculum", "training"): "growing with training",
    ("curriculum", "confidence"): "growing with trust",
}
Lines = Sequence[Mapping[str, str]]


def of_stage(lines: Lines, stage: str) -> list[Mapping[str, str]]:
    """The lines of one stage."""
    return [line for line in lines if line["stage"] == stage]


def label(line: Mapping[str, str]) -> str:
    """How tables and pictures call a row: temperature T, weight w, and what else is changed."""
    if line["row"] == BASE:
        return "FixMatch"
    told = [f"T {float(line['temperature']):g}, w {float(line['weight']):g}"]
    if (reading := READINGS[line["reading"], line["frozen_numerator"]]) != "pairs":
        told.append(reading)
    for column, value in PLAIN.items():
        if line[column] != value:
            told.append(WORDS.get((column, line[column]), f"{column} {line[column]}"))
    return ", ".join(told)


def effects(lines: Lines, stage: str, figure: str) -> dict[tuple[str, float, float], float]:
    """Of every cell (reading, temperature, weight) of a sweep, its mean difference to FixMatch."""
    chosen = of_stage(lines, stage)
    runs = grid.runs_of(chosen, FIGURES)
    found = {}
    for line in chosen:
        gap = grid.difference(runs, line["row"], BASE, figure)
        if line["row"] != BASE and gap is not None:
            reading = READINGS[line["reading"], line["frozen_numerator"]]
            found[reading, float(line["temperature"]), float(line["weight"])] = gap[0]
    return found


def print_sweep(lines: Lines, stage: str) -> None:
    """Differences to FixMatch by temperature and weight, a table for each reading."""
    held, target = (effects(lines, stage, x) for x in ("held_back_accuracy", "accuracy"))
    temperatures, weights = (sorted({key[i] for key in held}) for i in (1, 2))
    head = " | ".join(f"weight {weight:g}" for weight in weights)
    for reading in READINGS.values():
        if not any(key[0] == reading for key in held):
            continue
        print(f"| {reading}: temperature | {head} |\n| ---: |{' ---: |' * len(weights)}")
        for temperature in temperatures:
            keys = [(reading, temperature, weight) for weight in weights]
            row = [f"{held[k]:+.1f} ({target[k]:+.1f})" if k in held else "" for k in keys]
            print(f"| {temperature:g} | {' | '.join(row)} |")
        print()
    pairs = [(held[key], target[key]) for key in held]
    if len(pairs) > 2:
        rank = stats.spearmanr(*zip(*pairs, strict=True)).statistic
        print(f"Rank correlation of the two over {len(pairs)} cells: {rank:.2f}\n")


def print_forces(lines: Lines) -> None:
    """Mean differences of the sweep's runs to FixMatch, by how strongly the term pulls."""
    chosen = of_stage(lines, "coarse")
    base = {line["target"]: line for line in chosen if line["row"] == BASE}
    bounds, found = (0.1, 0.3, 1.0, np.inf), {}
    for line in chosen:
        if line["row"] != BASE:
            pull = float(line["repulsion_gradient"]) / float(line["supervised_gradient"])
            pairs = [(line[x], base[line["target"]][x]) for x in FIGURES[:5]]
            gaps = [float(one or "nan") - float(other) for one, other in pairs]
            found.setdefault(next(bound for bound in bounds if pull < bound), []).append(gaps)
    print(
        "| pull of repulsion | runs | held-out domain | held-back images | kept | right | probe |"
    )
    print(f"| --- |{' ---: |' * 6}")
    for below, bound in zip((0.0, *bounds), bounds, strict=False):
        means = " | ".join(f"{x:+.1f}" for x in np.nanmean(found[bound], 0))
        print(f"| {below:g} to {bound:g} | {len(found[bound])} | {means} |")
    print()


def print_rows(lines: Lines, stage: str) -> None:
    """Means of a stage's rows, and their paired differences to FixMatch."""
    runs = grid.runs_of(of_stage(lines, stage), FIGURES)
    called = {line["row"]: label(line) for line in of_stage(lines, stage)}
    names = ("row", "runs", "held-out domain", "held-back images", "kept, %", "right, %")
    names += ("domain probe, %", "gradients: S", "U", "C")
    print(f"| {' | '.join(names)} |\n| --- |{' ---: |' * (len(names) - 1)}")
    for row, figures in runs.items():

        def mean(figure: str, digits: int, figures: Mapping = figures) -> str:
            values = [x[figure] for x in figures.values() if np.isfinite(x[figure])]
            return f"{np.mean(values):.{digits}f}" if values else "-"

        def cell(figure: str, row: str = row, mean: Callable = mean) -> str:
            gap = None if row == BASE else grid.difference(runs, row, BASE, figure)
            return mean(figure, 1) + ("" if gap is None else f" ({grid.told(gap)})")

        pulls = [mean(x, d) for x, d in zip(FIGURES[5:], (2, 2, 3), strict=True)]
        print(
            f"| {' | '.join([called[row], str(len(figures)), *map(cell, FIGURES[:5]), *pulls])} |"
        )
    print()


def print_tables(lines: Lines) -> None:
    """All stages in turn."""
    for stage in dict.fromkeys(line["stage"] for line in lines):
        print(f"### {stage}\n")
        if stage == "coarse":
            print_sweep(lines, stage)
            print_forces(lines)
        else:
            print_rows(lines, stage)


def plot(lines: Lines, folder: Path) -> None:
    """Draws ``fixclr_study_{sweep,gradients,rows}.png``."""
    import matplotlib

    matplotlib.use("Agg")
    plot_sweep(lines, folder / "fixclr_study_sweep.png")
    plot_gradients(lines, folder / "fixclr_study_gradients.png")
    plot_rows(lines, folder / "fixclr_study_rows.png")


def plot_sweep(lines: Lines, path: Path) -> None:
    """Heat maps of the differences on held-back images and on targets, reading by reading."""
    import matplotlib.pyplot as plt

    figures = {"held_back_accuracy": "held-back source images", "accuracy": "held-out domain"}
    found = {figure: effects(lines, "coarse", figure) for figure in figures}
    keys = next(iter(found.values()))
    temperatures, weights = (sorted({key[i] for key in keys}) for i in (1, 2))
    size = (2.35 * len(READINGS) + 0.9, 5.3)
    canvas, axes = plt.subplots(2, len(READINGS), figsize=size, layout="constrained")
    for place, (axis_row, (figure, name)) in enumerate(zip(axes, figures.items(), strict=True)):
        for axis, reading in zip(axis_row, READINGS.values(), strict=True):
            cells = [
                [found[figure].get((reading, t, w), np.nan) for w in weights] for t in temperatures
            ]
            image = axis.imshow(cells, cmap="RdBu", vmin=-20, vmax=20)
            for (i, j), value in np.ndenumerate(cells):
                if np.isfinite(value):
                    colour = "white" if abs(value) > 12 else "black"
                    told = f"{round(value):+d}" if round(value) else "0"
                    axis.text(j, i, told, ha="center", va="center", fontsize=8, color=colour)
            axis.set_xticks(range(len(weights)), [f"{w:g}" for w in weights])
            axis.set_yticks(range(len(temperatures)), [f"{t:g}" for t in temperatures])
            axis.set_title("" if place else reading, fontsize=10)
        axis_row[0].set_ylabel(f"{name}\n\ntemperature", fontsize=9)
        canvas.colorbar(image, ax=axis_row, shrink=0.8, label="points over FixMatch")
    for axis in axes[-1]:
        axis.set_xlabel("weight", fontsize=9)
    canvas.savefig(path, dpi=130)


def plot_gradients(lines: Lines, path: Path) -> None:
    """How far the sweep's rows are off FixMatch, against how strongly the term pulls."""
    import matplotlib.pyplot as plt

    chosen = [line for line in of_stage(lines, "coarse") if line["row"] != BASE]
    pulls: dict[tuple[str, float, float], list[float]] = {}
    for line in chosen:
        reading = READINGS[line["reading"], line["frozen_numerator"]]
        key = reading, float(line["temperature"]), float(line["weight"])
        pulls.setdefault(key, []).append(
            float(line["repulsion_gradient"]) / float(line["supervised_gradient"])
        )
    figures = {"held_back_accuracy": "held-back source images", "accuracy": "held-out domain"}
    canvas, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for axis, (figure, name) in zip(axes, figures.items(), strict=True):
        gaps = effects(lines, "coarse", figure)
        for reading, marker in zip(READINGS.values(), "os^v", strict=True):
            keys = [key for key in pulls if key[0] == reading]
            x, y = [np.exp(np.mean(np.log(pulls[key]))) for key in keys], [gaps[k] for k in keys]
            axis.plot(x, y, marker, ms=5, alpha=0.8, label=reading)
        axis.axhline(0, color="grey", lw=0.8)
        axis.axvline(1, color="grey", lw=0.8, ls=":")
        axis.set_xscale("log")
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("gradient of repulsion over that of cross-entropy, in the features")
    axes[0].set_ylabel("points over FixMatch")
    axes[0].legend(fontsize=8, loc="lower left")
    canvas.savefig(path, dpi=130)


def plot_rows(lines: Lines, path: Path) -> None:
    """Paired differences to FixMatch with their 95 % intervals, stage by stage."""
    import matplotlib.pyplot as plt

    stages = [
        s for s in dict.fromkeys(line["stage"] for line in lines) if s not in ("coarse", "small")
    ]
    runs = {stage: grid.runs_of(of_stage(lines, stage), FIGURES) for stage in stages}
    heights = [len(runs[stage]) for stage in stages]
    canvas, axes = plt.subplots(
        len(stages), 1, figsize=(8, 0.3 * sum(heights) + 0.8 * len(stages)), layout="constrained",
        gridspec_kw={"height_ratios": heights}, squeeze=False, sharex=True,
    )  # fmt: skip
    colours = {"accuracy": "#1f5fa8", "held_back_accuracy": "#d1802b"}
    for axis, stage in zip(axes[:, 0], stages, strict=True):
        rows = [row for row in runs[stage] if row != BASE]
        for offset, (figure, colour) in zip((-0.13, 0.13), colours.items(), strict=True):
            for place, row in enumerate(rows):
                gap = grid.difference(runs[stage], row, BASE, figure)
                if gap is not None:
                    axis.errorbar(
                        gap[0], place + offset, xerr=gap[1], fmt="o", ms=4, color=colour, lw=1.2
                    )
        axis.axvline(0, color="grey", lw=0.8)
        called = {line["row"]: label(line) for line in of_stage(lines, stage)}
        axis.set_yticks(range(len(rows)), [called[row] for row in rows], fontsize=8)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_title(stage, fontsize=10, loc="left")
        axis.set_xlim(-25, 12)
    marks = [plt.Line2D([], [], marker="o", color=c, lw=1.2) for c in colours.values()]
    axes[0, 0].legend(
        marks, ["held-out domain", "held-back source images"], fontsize=8, loc="lower left"
    )
    axes[-1, 0].set_xlabel("points over FixMatch, mean and 95 % interval over (target, seed)")
    canvas.savefig(path, dpi=130)
