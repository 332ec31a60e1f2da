"""Group DRO on the labeled images of the embedded digits, 10 per class and domain; 4-layer ConvNet.

Command: ``python -m jaxclr.main --experiment=digits_groupdro``
Cost: as ``digits_erm``.
Accuracy on held-out domains, %: 57.4 (width 32, seed 1; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_erm
from jaxclr.methods.groupdro import groupdro


def experiment() -> Experiment:
    """``digits_erm`` with domains weighted by how badly they are served."""
    return dataclasses.replace(
        digits_erm.experiment(),
        name="digits_groupdro",
        method=groupdro(digits_erm.experiment().method),
    )
