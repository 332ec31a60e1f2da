"""SimSiam on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_simsiam``
Cost: as ``digits_simclr``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_simclr
from jaxclr.methods.simsiam import simsiam
from jaxclr.models.heads import Mlp


def experiment() -> Experiment:
    """As ``digits_simclr``, by SimSiam."""
    return dataclasses.replace(
        digits_simclr.experiment(),
        name="digits_simsiam",
        model=dataclasses.replace(
            digits_simclr.experiment().model, predictor=Mlp(256, normalised=True)
        ),
        method=simsiam(),
    )
