"""SimCLR + ADC on CIFAR-10, ResNet-18 of 3 x 3 stem; linear probe.

Command: ``python -m jaxclr.main --experiment=cifar10_simclr_adc``
Cost: as ``cifar10_simclr``.
Accuracy on the test images, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import cifar10_simclr
from jaxclr.methods.adc import adc


def experiment() -> Experiment:
    """Without a frozen encoder: anchors alike, and no neighbourhoods to preserve."""
    return dataclasses.replace(
        cifar10_simclr.experiment(),
        name="cifar10_simclr_adc",
        method=adc(cifar10_simclr.experiment().method),
    )
