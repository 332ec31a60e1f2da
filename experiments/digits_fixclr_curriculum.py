"""FixMatch + FixCLR on the embedded digits, drawing classes together as guesses become trusted.

Command: ``python -m jaxclr.main --experiment=digits_fixclr_curriculum``
Cost: as ``digits_fixclr``.
Accuracy on held-out domains, %: see docs/fixclr-study.md.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixclr
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``digits_fixclr`` with positives in proportion to the share of trusted guesses."""
    return dataclasses.replace(
        digits_fixclr.experiment(),
        name="digits_fixclr_curriculum",
        method=fixclr(weight=1.0, temperature=0.1, attraction=1.0, curriculum="confidence"),
    )
