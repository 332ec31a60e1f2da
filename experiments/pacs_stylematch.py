"""StyleMatch on PACS, ResNet-18 from scratch, 10 labels per class and domain.

Command: ``python -m jaxclr.main --experiment=pacs_stylematch``
Cost: as ``pacs_fixmatch``.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import pacs_fixmatch
from jaxclr.methods.stylematch import stylematch
from jaxclr.models.heads import Stochastic


def experiment() -> Experiment:
    """Fourier styles, which need no weights; a stochastic cosine classifier."""
    return dataclasses.replace(
        pacs_fixmatch.experiment(),
        name="pacs_stylematch",
        model=dataclasses.replace(pacs_fixmatch.experiment().model, classifier=Stochastic()),
        method=stylematch(),
    )
