"""SimCLR + ADC on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_simclr_adc``
Cost: as ``digits_simclr``.
Accuracy on held-out domains, %: 22.7 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_simclr
from jaxclr.methods.adc import adc


def experiment() -> Experiment:
    """Without a frozen encoder: anchors alike, and no neighbourhoods to preserve."""
    return dataclasses.replace(
        digits_simclr.experiment(),
        name="digits_simclr_adc",
        method=adc(digits_simclr.experiment().method),
    )
