"""FixMatch + CORAL on the embedded digits, 10 labels per class and domain; 4-layer ConvNet.

Command: ``python -m jaxclr.main --experiment=digits_fixmatch_coral``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.coral import coral


def experiment() -> Experiment:
    """``digits_fixmatch`` with the domains' strong views drawn together, labeled and unlabeled."""
    return dataclasses.replace(
        digits_fixmatch.experiment(),
        name="digits_fixmatch_coral",
        method=coral(digits_fixmatch.experiment().method),
    )
