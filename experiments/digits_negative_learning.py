"""FixMatch + negative learning on the embedded digits, four-layer ConvNet.

Command: ``python -m jaxclr.main --experiment=digits_negative_learning``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: 75.5 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.fixclr_ablations import with_negative_learning


def experiment() -> Experiment:
    """What FixCLR's paper compares its repulsion with."""
    return dataclasses.replace(
        digits_fixmatch.experiment(),
        name="digits_negative_learning",
        method=with_negative_learning(digits_fixmatch.experiment().method),
    )
