"""SSC on CIFAR-100, WRN-28-2, 400 labels; one domain, so plain semi-supervised learning.

Command: ``python -m jaxclr.main --experiment=cifar100_ssc``
Cost: as ``cifar100_fixmatch``.
Accuracy on the test images, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import cifar100_fixmatch
from jaxclr.methods.ssc import ssc
from jaxclr.models.heads import Mlp, Prototypes


def experiment() -> Experiment:
    """One contrastive loss with prototypes, no cross-entropy."""
    return dataclasses.replace(
        cifar100_fixmatch.experiment(),
        name="cifar100_ssc",
        model=dataclasses.replace(
            cifar100_fixmatch.experiment().model, classifier=Prototypes(), projector=Mlp()
        ),
        method=ssc(),
    )
