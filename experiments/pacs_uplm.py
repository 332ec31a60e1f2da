"""UPLM on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_uplm``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.uplm import uplm
from jaxclr.models.heads import Linear


def experiment() -> Experiment:
    """Certainty by dropout; the mean of last and averaged weights is tested."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_uplm",
        model=dataclasses.replace(
            pacs_fixmatch.experiment().model, classifier=Linear(dropout=0.2, learns_whole=True)
        ),
        method=uplm(least_certainty=0.2),
        ema_decay=0.999,
        tested="both",
    )
