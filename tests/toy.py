"""A data set and an experiment that are small enough to train in a test."""

import dataclasses

import numpy as np

from jaxclr.experiment import Experiment
from jaxclr.methods.fixclr import fixclr
from jaxclr.models.convnet import ConvNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.source import Collection, Dataset, Domain

CLASSES = ("circle", "cross", "stripes")
DOMAINS = ("day", "dusk", "night")


class Pictures(tuple):
    """Images in memory."""


def picture(domain: int, label: int, number: int) -> np.ndarray:
    """A class's shape, 16 px, in a domain's brightness, with noise."""
    rng = np.random.default_rng([domain, label, number])
    y, x = np.mgrid[:16, :16] - 7.5
    shape = (np.hypot(x, y) < 5, (abs(x) < 2) | (abs(y) < 2), x % 4 < 2)[label]
    bright = (230, 150, 90)[domain]
    noise = rng.integers(0, 40, (16, 16, 3))
    return np.clip(shape[..., None] * bright + noise, 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Toy(Dataset):
    """Three shapes in three lights."""

    per_class: int = 12
    """Images of each class and domain."""

    def load(self) -> Collection:
        """Draws all images."""
        domains = []
        for d, name in enumerate(DOMAINS):
            keys = [(c, i) for c in range(len(CLASSES)) for i in range(self.per_class)]
            domains.append(
                Domain(
                    name,
                    tuple(f"{name}/{CLASSES[c]}/{i:02d}.png" for c, i in keys),
                    np.array([c for c, _ in keys], np.int32),
                    np.ones(len(keys), bool),
                    Pictures(picture(d, c, i) for c, i in keys),
                )
            )
        return Collection(tuple(domains), CLASSES)


def toy_experiment(**changes) -> Experiment:
    """FixCLR on the toy, eight labeled images of each domain in a batch."""
    defaults = {
        "name": "toy",
        "dataset": Toy(),
        "model": ConvNet(width=8, size=16),
        "method": fixclr(),
        "optimizer": Sgd(learning_rate=0.05, head_learning_rate=0.05),
        "augment": Augment(size=16, flip=0.0, cutout=4, mean=(0.5,) * 3, std=(0.5,) * 3),
        "seeds": (1,),
        "labels_per_class": 3,
        "batch_per_domain": 8,
        "steps": 6,
        "eval_every": 3,
        "log_every": 2,
    }
    return Experiment(**{**defaults, **changes})


def experiment() -> Experiment:
    """What ``--experiment=toy.py`` runs."""
    return toy_experiment()
