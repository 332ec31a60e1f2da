"""W-MSE on CIFAR-10, ResNet-18 of 3 x 3 stem; linear probe.

Command: ``python -m jaxclr.main --experiment=cifar10_wmse``
Cost: as ``cifar10_simclr``.
Accuracy on the test images, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import cifar10_simclr
from jaxclr.methods.wmse import wmse


def experiment() -> Experiment:
    """As ``cifar10_simclr``, by W-MSE."""
    return dataclasses.replace(
        cifar10_simclr.experiment(),
        name="cifar10_wmse",
        method=wmse(),
    )
