"""FlexMatch on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_flexmatch``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.flexmatch import flexmatch


def experiment() -> Experiment:
    """As ``pacs_fixmatch``, by FlexMatch."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_flexmatch",
        method=flexmatch(),
    )
