"""SSC on STL-10, WRN-37-2, 40 labels; one domain, so plain semi-supervised learning.

Command: ``python -m jaxclr.main --experiment=stl10_ssc``
Cost: as ``stl10_fixmatch``.
Accuracy on the test images, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import stl10_fixmatch
from jaxclr.methods.ssc import ssc
from jaxclr.models.heads import Mlp, Prototypes


def experiment() -> Experiment:
    """One contrastive loss with prototypes, no cross-entropy."""
    return dataclasses.replace(
        stl10_fixmatch.experiment(),
        name="stl10_ssc",
        model=dataclasses.replace(
            stl10_fixmatch.experiment().model, classifier=Prototypes(), projector=Mlp()
        ),
        method=ssc(),
    )
