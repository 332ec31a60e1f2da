"""SSC on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_ssc``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.ssc import ssc
from jaxclr.models.heads import Mlp, Prototypes


def experiment() -> Experiment:
    """One contrastive loss with prototypes, no cross-entropy; averaged weights are tested."""
    return dataclasses.replace(
        digits_fixmatch.experiment(),
        name="digits_ssc",
        model=dataclasses.replace(
            digits_fixmatch.experiment().model, classifier=Prototypes(), projector=Mlp()
        ),
        method=ssc(),
        ema_decay=0.99,
    )
