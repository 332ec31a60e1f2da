"""FixMatch with CutMix of the labeled images on PACS, ResNet-18 from scratch, 10 labels.

Command: ``python -m jaxclr.main --experiment=pacs_fixmatch_cutmix``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.mixing import CutMix


def experiment() -> Experiment:
    """As ``pacs_fixmatch``, with labeled images mixed with others of their domains."""
    base = pacs_fixmatch.experiment()
    return dataclasses.replace(
        base,
        name="pacs_fixmatch_cutmix",
        method=dataclasses.replace(base.method, mixing=CutMix()),
    )
