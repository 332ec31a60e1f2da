"""ERM on the labeled images of PACS, 10 per class and domain; ResNet-18 from scratch.

Command: ``python -m jaxclr.main --experiment=pacs_erm``
Cost: not measured.
Accuracy on held-out domains, %: not measured yet.
"""

from jaxclr.data.pacs import Pacs
from jaxclr.experiment import Experiment
from jaxclr.methods.erm import erm
from jaxclr.models.resnet import ResNet


def experiment() -> Experiment:
    """Every target, seeds 1 to 5."""
    return Experiment(name="pacs_erm", dataset=Pacs(), model=ResNet(), method=erm())
