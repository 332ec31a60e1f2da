"""FixMatch + FixCLR on a folder of your own: <domain>/<class>/*.jpg."""

from jaxclr.data.folder import Folder
from jaxclr.experiment import Experiment
from jaxclr.methods.fixclr import fixclr
from jaxclr.models.resnet import ResNet


def experiment() -> Experiment:
    """Every domain in turn, seed 1."""
    return Experiment(
        name="folder_fixclr", dataset=Folder(), model=ResNet(), method=fixclr(), seeds=(1,)
    )
