"""What the runs of the study of FixCLR made of the features: cosines by class and domain.

``python benchmarks/fixclr_features.py --stage settings`` prints a line per row, averaged over the
runs of digits that ``fixclr_study.py run`` left in ``--workdir``.
"""

import argparse
from pathlib import Path

import grid
import numpy as np
from fixclr_study import STAGES, name_of

from jaxclr.data.digits import Digits
from jaxclr.models.convnet import ConvNet
from jaxclr.models.prior import Encoder
from jaxclr.pipeline.augment import digits
from jaxclr.pipeline.source import Collection
from jaxclr.training.passes import normalise

PER_DOMAIN = 200
HEAD = ("row", "same class", "other class", "same class, other domain", "other class, same domain")
HEAD += ("length of features", "their spread over classes")


def pictures(
    collection: Collection,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first images of every domain as they are tested, their labels, and their domains."""
    augment, images, label, domain = digits(), [], [], []
    for number, of_one in enumerate(collection.domains):
        chosen = np.linspace(0, len(of_one.paths) - 1, PER_DOMAIN).astype(int)
        images += [augment.evaluation(of_one.images[int(i)]) for i in chosen]
        label.append(of_one.label[chosen])
        domain.append(np.full(PER_DOMAIN, number))
    pixels = np.asarray(normalise(np.stack(images), augment.mean, augment.std))
    return pixels, np.concatenate(label), np.concatenate(domain)


def figures_of(features: np.ndarray, label: np.ndarray, domain: np.ndarray) -> list[float]:
    """The columns of the table for the features of one run."""
    lengths = np.linalg.norm(features, axis=1)
    unit = features / np.maximum(lengths, 1e-12)[:, None]
    cosine, alone = unit @ unit.T, ~np.eye(len(unit), dtype=bool)
    same, near = label[:, None] == label, domain[:, None] == domain
    means = np.stack([features[label == k].mean(0) for k in np.unique(label)])
    between = np.sqrt(((means - features.mean(0)) ** 2).sum(1).mean())
    return [
        cosine[same & alone].mean(),
        cosine[~same].mean(),
        cosine[same & ~near].mean(),
        cosine[~same & near].mean(),
        lengths.mean(),
        between / np.sqrt(((features - features.mean(0)) ** 2).sum(1).mean()),
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=[n for n in STAGES if n != "pacs"], default="settings")
    parser.add_argument("--workdir", type=Path, default=grid.ROOT / "runs" / "fixclr_study")
    given = parser.parse_args()
    pixels, label, domain = pictures(Digits().load())
    print(f"| {' | '.join(HEAD)} |\n| --- |{' ---: |' * (len(HEAD) - 1)}")
    for row in STAGES[given.stage].rows:
        found = []
        for path in sorted((given.workdir / given.stage / name_of(row)).glob("*/*/weights.npz")):
            network, arrays = Encoder(ConvNet(width=32), str(path)).load(target="", seed=0)
            features = network(*arrays, pixels, groups=1, train=False)[0].features
            found.append(figures_of(np.asarray(features, np.float64), label, domain))
        if found:
            means = np.mean(found, 0)
            print(f"| {name_of(row)} | {' | '.join(f'{x:.2f}' for x in means)} |")


if __name__ == "__main__":
    main()
