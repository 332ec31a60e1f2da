"""FixMatch + ADC on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_fixmatch_adc``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.adc import adc


def experiment() -> Experiment:
    """Without a frozen encoder: anchors alike, and no neighbourhoods to preserve."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_fixmatch_adc",
        method=adc(pacs_fixmatch.experiment().method),
    )
