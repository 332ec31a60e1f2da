"""MMD on the labeled images of the embedded digits, 10 per class and domain; 4-layer ConvNet.

Command: ``python -m jaxclr.main --experiment=digits_mmd``
Cost: as ``digits_erm``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_erm
from jaxclr.methods.mmd import mmd


def experiment() -> Experiment:
    """``digits_erm`` with the domains' distributions of features drawn together."""
    return dataclasses.replace(
        digits_erm.experiment(),
        name="digits_mmd",
        method=mmd(digits_erm.experiment().method),
    )
