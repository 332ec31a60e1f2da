"""FixMatch + FixCLR on PACS, summed over pairs, the paper's literal reading.

Command: ``python -m jaxclr.main --experiment=pacs_fixclr_sum``
Cost: as ``pacs_fixclr``.
Accuracy on held-out domains, %: see docs/fixclr-study.md.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixclr
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``pacs_fixclr`` with the sum over pairs, at a weight that lets labels be learned."""
    return dataclasses.replace(
        pacs_fixclr.experiment(),
        name="pacs_fixclr_sum",
        method=fixclr(weight=0.01, reduction="sum"),
    )
