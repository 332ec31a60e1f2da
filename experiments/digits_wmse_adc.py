"""W-MSE + ADC on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_wmse_adc``
Cost: as ``digits_wmse``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_wmse
from jaxclr.methods.adc import adc


def experiment() -> Experiment:
    """Without a frozen encoder: anchors alike, and no neighbourhoods to preserve."""
    return dataclasses.replace(
        digits_wmse.experiment(),
        name="digits_wmse_adc",
        method=adc(digits_wmse.experiment().method),
    )
