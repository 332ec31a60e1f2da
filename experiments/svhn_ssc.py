"""SSC on SVHN, WRN-28-2, 40 labels; one domain, so plain semi-supervised learning.

Command: ``python -m jaxclr.main --experiment=svhn_ssc``
Cost: as ``svhn_fixmatch``.
Accuracy on the test images, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import svhn_fixmatch
from jaxclr.methods.ssc import ssc
from jaxclr.models.heads import Mlp, Prototypes


def experiment() -> Experiment:
    """One contrastive loss with prototypes, no cross-entropy."""
    return dataclasses.replace(
        svhn_fixmatch.experiment(),
        name="svhn_ssc",
        model=dataclasses.replace(
            svhn_fixmatch.experiment().model, classifier=Prototypes(), projector=Mlp()
        ),
        method=ssc(),
    )
