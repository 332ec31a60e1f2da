"""W-MSE on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_wmse``
Cost: as ``digits_simclr``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_simclr
from jaxclr.methods.wmse import wmse


def experiment() -> Experiment:
    """As ``digits_simclr``, by W-MSE."""
    return dataclasses.replace(
        digits_simclr.experiment(),
        name="digits_wmse",
        method=wmse(),
    )
