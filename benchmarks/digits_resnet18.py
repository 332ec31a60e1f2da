"""The experiment ``digits_fixclr`` with a ResNet-18 for small images, to see how it starts."""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments.digits_fixclr import experiment as with_convnet
from jaxclr.models.resnet import ResNet


def experiment() -> Experiment:
    """All else as there."""
    return dataclasses.replace(with_convnet(), name="digits_resnet18", model=ResNet(stem="small"))
