"""FixMatch + FixCLR on PACS, drawing classes together as guesses become trusted.

Command: ``python -m jaxclr.main --experiment=pacs_fixclr_curriculum``
Cost: as ``pacs_fixclr``.
Accuracy on held-out domains, %: see docs/fixclr-study.md.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixclr
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``pacs_fixclr`` with positives in proportion to the share of trusted guesses."""
    return dataclasses.replace(
        pacs_fixclr.experiment(),
        name="pacs_fixclr_curriculum",
        method=fixclr(weight=1.0, temperature=0.1, attraction=1.0, curriculum="confidence"),
    )
