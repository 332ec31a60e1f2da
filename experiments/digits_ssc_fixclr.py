"""SSC + FixCLR on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_ssc_fixclr``
Cost: as ``digits_ssc``.
Accuracy on held-out domains, %: 54.7 (width 32, seeds 1 and 2; mean over targets).
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_ssc
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``digits_ssc`` with repulsion between classes on the backbone's features."""
    return dataclasses.replace(
        digits_ssc.experiment(),
        name="digits_ssc_fixclr",
        method=fixclr(digits_ssc.experiment().method),
    )
