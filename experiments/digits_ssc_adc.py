"""SSC + ADC on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_ssc_adc``
Cost: as ``digits_ssc``.
Accuracy on held-out domains, %: 51.8 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_ssc
from jaxclr.methods.adc import adc


def experiment() -> Experiment:
    """``digits_ssc`` with the embedding's distribution calibrated."""
    return dataclasses.replace(
        digits_ssc.experiment(),
        name="digits_ssc_adc",
        method=adc(digits_ssc.experiment().method),
    )
