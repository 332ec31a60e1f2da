"""FixMatch + FixCLR on the embedded digits, repelling the classes and drawing each together.

Command: ``python -m jaxclr.main --experiment=digits_fixclr_attraction``
Cost: as ``digits_fixclr``.
Accuracy on held-out domains, %: see docs/fixclr-study.md.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixclr
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``digits_fixclr`` with real positives, which the paper's ablation reports as harmful."""
    return dataclasses.replace(
        digits_fixclr.experiment(),
        name="digits_fixclr_attraction",
        method=fixclr(weight=1.0, temperature=0.1, attraction=1.0),
    )
