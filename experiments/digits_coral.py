"""CORAL on the labeled images of the embedded digits, 10 per class and domain; 4-layer ConvNet.

Command: ``python -m jaxclr.main --experiment=digits_coral``
Cost: as ``digits_erm``.
Accuracy on held-out domains, %: 57.8 (width 32, seed 1; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_erm
from jaxclr.methods.coral import coral


def experiment() -> Experiment:
    """``digits_erm`` with the domains' means and covariances of features drawn together."""
    return dataclasses.replace(
        digits_erm.experiment(),
        name="digits_coral",
        method=coral(digits_erm.experiment().method),
    )
