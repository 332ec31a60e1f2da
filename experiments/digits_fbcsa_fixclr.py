"""FBC-SA + FixCLR on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_fbcsa_fixclr``
Cost: as ``digits_fbcsa``.
Accuracy on held-out domains, %: 69.5 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fbcsa
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``digits_fbcsa`` with repulsion between classes."""
    return dataclasses.replace(
        digits_fbcsa.experiment(),
        name="digits_fbcsa_fixclr",
        method=fixclr(digits_fbcsa.experiment().method),
    )
