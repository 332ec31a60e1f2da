"""FixMatch with CutMix of the labeled images on the embedded digits, 4-layer ConvNet, 10 labels.

Command: ``python -m jaxclr.main --experiment=digits_fixmatch_cutmix``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.mixing import CutMix


def experiment() -> Experiment:
    """As ``digits_fixmatch``, with labeled images mixed with others of their domains."""
    base = digits_fixmatch.experiment()
    return dataclasses.replace(
        base,
        name="digits_fixmatch_cutmix",
        method=dataclasses.replace(base.method, mixing=CutMix()),
    )
