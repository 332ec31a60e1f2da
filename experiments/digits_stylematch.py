"""StyleMatch on the embedded digits, four-layer ConvNet, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=digits_stylematch``
Cost: as ``digits_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_fixmatch
from jaxclr.methods.stylematch import stylematch
from jaxclr.models.heads import Stochastic


def experiment() -> Experiment:
    """Fourier styles, which need no weights; a stochastic cosine classifier."""
    return dataclasses.replace(
        digits_fixmatch.experiment(),
        name="digits_stylematch",
        model=dataclasses.replace(digits_fixmatch.experiment().model, classifier=Stochastic()),
        method=stylematch(),
    )
