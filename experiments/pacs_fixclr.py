"""FixMatch + FixCLR on PACS, ResNet-18, 10 labels per class and domain."""

from jaxclr.data.pacs import Pacs
from jaxclr.experiment import Experiment
from jaxclr.methods.fixclr import fixclr
from jaxclr.models.resnet import ResNet


def experiment() -> Experiment:
    """Every target, seeds 1 to 5."""
    return Experiment(name="pacs_fixclr", dataset=Pacs(), model=ResNet(), method=fixclr())
