"""FixMatch + FixCLR on a folder of your own: <domain>/<class>/*.jpg.

Command: ``python -m jaxclr.main --experiment=folder_fixclr --dataset.root PATH``
Cost: one ResNet-18 a domain; told after the first steps.
Accuracy on held-out domains, %: that of your data.
"""

from jaxclr.data.folder import Folder
from jaxclr.experiment import Experiment
from jaxclr.methods.fixclr import fixclr
from jaxclr.models.resnet import ResNet


def experiment() -> Experiment:
    """Every domain in turn, seed 1."""
    return Experiment(
        name="folder_fixclr", dataset=Folder(), model=ResNet(), method=fixclr(), seeds=(1,)
    )
