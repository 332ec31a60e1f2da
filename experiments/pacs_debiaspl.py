"""DebiasPL on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_debiaspl``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.debiaspl import debiaspl


def experiment() -> Experiment:
    """As ``pacs_fixmatch``, by DebiasPL."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_debiaspl",
        method=debiaspl(),
    )
