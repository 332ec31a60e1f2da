"""SimSiam + ADC on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_simsiam_adc``
Cost: as ``digits_simsiam``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_simsiam
from jaxclr.methods.adc import adc


def experiment() -> Experiment:
    """Without a frozen encoder: anchors alike, and no neighbourhoods to preserve."""
    return dataclasses.replace(
        digits_simsiam.experiment(),
        name="digits_simsiam_adc",
        method=adc(digits_simsiam.experiment().method),
    )
