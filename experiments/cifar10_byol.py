"""BYOL on CIFAR-10, ResNet-18 of 3 x 3 stem; linear probe.

Command: ``python -m jaxclr.main --experiment=cifar10_byol``
Cost: as ``cifar10_simclr``.
Accuracy on the test images, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import cifar10_simclr
from jaxclr.methods.byol import byol
from jaxclr.models.heads import Mlp


def experiment() -> Experiment:
    """As ``cifar10_simclr``, by BYOL."""
    return dataclasses.replace(
        cifar10_simclr.experiment(),
        name="cifar10_byol",
        model=dataclasses.replace(
            cifar10_simclr.experiment().model, predictor=Mlp(1024, normalised=True)
        ),
        method=byol(),
        ema_decay=0.99,
        tested="last",
    )
