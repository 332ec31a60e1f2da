"""FixMatch + FixCLR on the embedded digits, repelling what a projector makes of the features.

Command: ``python -m jaxclr.main --experiment=digits_fixclr_projected``
Cost: as ``digits_fixclr``.
Accuracy on held-out domains, %: see docs/fixclr-study.md.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixclr
from jaxclr.methods.fixclr import Repulsion
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Mlp


def experiment() -> Experiment:
    """``digits_fixclr`` on embeddings of 128 numbers."""
    return dataclasses.replace(
        digits_fixclr.experiment(),
        name="digits_fixclr_projected",
        model=ConvNet(projector=Mlp(width=128)),
        method=fixmatch().plus(repulsion=Repulsion(vectors="embedding")),
    )
