"""Sinkhorn labels on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_sinkhorn``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.sinkhorn import sinkhorn


def experiment() -> Experiment:
    """As ``digits_fixmatch``, by Sinkhorn labels."""
    return dataclasses.replace(
        digits_fixmatch.experiment(),
        name="digits_sinkhorn",
        method=sinkhorn(),
    )
