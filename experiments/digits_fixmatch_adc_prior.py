"""FixMatch + ADC with a frozen encoder on the embedded digits, four-layer ConvNet.

Command: ``python -m jaxclr.main --experiment=digits_simclr``, which makes the encoders, then
``python -m jaxclr.main --experiment=digits_fixmatch_adc_prior``
Cost: as ``digits_fixmatch``, and as ``digits_simclr`` for the encoders.
Accuracy on held-out domains, %: 74.5 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch_adc
from jaxclr.models.convnet import ConvNet
from jaxclr.models.prior import Encoder


def experiment() -> Experiment:
    """The encoder is what SimCLR learned of the same sources; it has not seen the target."""
    return dataclasses.replace(
        digits_fixmatch_adc.experiment(),
        name="digits_fixmatch_adc_prior",
        prior=Encoder(ConvNet(), "runs/digits_simclr/{target}/seed{seed}/weights.npz"),
    )
