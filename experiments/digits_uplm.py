"""UPLM on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_uplm``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.uplm import uplm
from jaxclr.models.heads import Linear


def experiment() -> Experiment:
    """Certainty by dropout; the mean of last and averaged weights is tested."""
    return dataclasses.replace(
        digits_fixmatch.experiment(),
        name="digits_uplm",
        model=dataclasses.replace(
            digits_fixmatch.experiment().model, classifier=Linear(dropout=0.2, learns_whole=True)
        ),
        method=uplm(least_certainty=0.5),
        ema_decay=0.99,
        tested="both",
    )
