"""SSC + FixCLR on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_ssc_fixclr``
Cost: as ``pacs_ssc``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_ssc
from jaxclr.methods.fixclr import fixclr


def experiment() -> Experiment:
    """``pacs_ssc`` with repulsion between classes on the backbone's features."""
    return dataclasses.replace(
        pacs_ssc.experiment(),
        name="pacs_ssc_fixclr",
        method=fixclr(pacs_ssc.experiment().method),
    )
