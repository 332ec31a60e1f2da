"""SSC on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_ssc``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.ssc import ssc
from jaxclr.models.heads import Mlp, Prototypes


def experiment() -> Experiment:
    """One contrastive loss with prototypes, no cross-entropy; averaged weights are tested."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_ssc",
        model=dataclasses.replace(
            pacs_fixmatch.experiment().model, classifier=Prototypes(), projector=Mlp()
        ),
        method=ssc(),
        ema_decay=0.999,
    )
