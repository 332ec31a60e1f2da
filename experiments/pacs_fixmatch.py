"""FixMatch on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_fixmatch``
Cost: not measured at 224 px; at 96 px 5 to 10 s a step on one shared core.
Accuracy on held-out domains, %: not measured yet at full length.
"""

from jaxclr.data.pacs import Pacs
from jaxclr.experiment import Experiment
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.models.resnet import ResNet


def experiment() -> Experiment:
    """Every target, seeds 1 to 5."""
    return Experiment(name="pacs_fixmatch", dataset=Pacs(), model=ResNet(), method=fixmatch())
