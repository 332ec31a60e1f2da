"""DeFixMatch on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_defixmatch``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.defixmatch import defixmatch


def experiment() -> Experiment:
    """As ``digits_fixmatch``, by DeFixMatch."""
    return dataclasses.replace(
        digits_fixmatch.experiment(),
        name="digits_defixmatch",
        method=defixmatch(),
    )
