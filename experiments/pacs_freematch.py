"""FreeMatch on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_freematch``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.freematch import freematch


def experiment() -> Experiment:
    """As ``pacs_fixmatch``, by FreeMatch."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_freematch",
        method=freematch(),
    )
