"""BYOL on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_byol``
Cost: as ``digits_simclr``.
Accuracy on held-out domains, %: 41.3 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_simclr
from jaxclr.methods.byol import byol
from jaxclr.models.heads import Mlp


def experiment() -> Experiment:
    """As ``digits_simclr``, by BYOL."""
    return dataclasses.replace(
        digits_simclr.experiment(),
        name="digits_byol",
        model=dataclasses.replace(
            digits_simclr.experiment().model, predictor=Mlp(256, normalised=True)
        ),
        method=byol(),
        ema_decay=0.99,
        tested="last",
    )
