"""FBC-SA on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_fbcsa``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.fbcsa import fbcsa


def experiment() -> Experiment:
    """As ``pacs_fixmatch``, by FBC-SA."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_fbcsa",
        method=fbcsa(),
    )
