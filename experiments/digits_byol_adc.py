"""BYOL + ADC on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_byol_adc``
Cost: as ``digits_byol``.
Accuracy on held-out domains, %: 23.0 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_byol
from jaxclr.methods.adc import adc


def experiment() -> Experiment:
    """Without a frozen encoder: anchors alike, and no neighbourhoods to preserve."""
    return dataclasses.replace(
        digits_byol.experiment(),
        name="digits_byol_adc",
        method=adc(digits_byol.experiment().method),
    )
