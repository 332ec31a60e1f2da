"""FixMatch + FixCLR on the embedded digits, summed over pairs, the paper's literal reading.

Command: ``python -m jaxclr.main --experiment=digits_fixclr_sum``
Cost: as ``digits_fixclr``.
Accuracy on held-out domains, %: see docs/fixclr-study.md.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixclr
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``digits_fixclr`` with the sum over pairs, at a weight that lets labels be learned."""
    return dataclasses.replace(
        digits_fixclr.experiment(),
        name="digits_fixclr_sum",
        method=fixclr(weight=0.01, reduction="sum"),
    )
