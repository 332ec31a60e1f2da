"""Draws the curves of runs side by side: ``python docs/plot_curves.py OUT.png RUN_FOLDER ...``.

Each run folder holds a ``metrics.jsonl``; runs are called by their experiment's name.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PANELS = (
    ("supervised", "cross-entropy of labels, nats"),
    ("consistency", "consistency, nats"),
    ("pseudo_label_keep_rate", "pseudo-labels kept, %"),
    ("pseudo_label_accuracy", "kept ones that are right, %"),
)
# Okabe and Ito's colours, told apart by the colour-blind; lines differ in their style too.
STYLES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", ":"))


def draw(out: Path, folders: list[Path]) -> None:
    """Writes the picture."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 3.2), layout="constrained")
    for folder, (colour, style) in zip(folders, STYLES, strict=False):
        text = (folder / "metrics.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        for axis, (key, _) in zip(axes, PANELS, strict=True):
            points = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
            axis.plot(*zip(*points, strict=True), style, color=colour, label=folder.parts[-3])
    for axis, (_, label) in zip(axes, PANELS, strict=True):
        axis.set(xlabel="step", ylabel=label, ylim=(0, None))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]])
