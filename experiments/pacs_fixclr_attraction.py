"""FixMatch + FixCLR on PACS, repelling the classes and drawing each together.

Command: ``python -m jaxclr.main --experiment=pacs_fixclr_attraction``
Cost: as ``pacs_fixclr``.
Accuracy on held-out domains, %: see docs/fixclr-study.md.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixclr
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``pacs_fixclr`` with real positives, which the paper's ablation reports as harmful."""
    return dataclasses.replace(
        pacs_fixclr.experiment(),
        name="pacs_fixclr_attraction",
        method=fixclr(weight=1.0, temperature=0.1, attraction=1.0),
    )
