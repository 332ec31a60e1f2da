"""BYOL with small windows on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_byol_multicrop``
Cost: not measured.
Accuracy on held-out domains, %: not measured yet.
"""

import dataclasses

from jaxclr.experiment import Experiment
from jaxclr.experiments import digits_byol
from jaxclr.methods.byol import byol
from jaxclr.pipeline.self_supervised import self_supervised_digits


def experiment() -> Experiment:
    """As ``digits_byol``, with 4 windows of 16 px of every image.

    Features are means over the last maps, which images of both sizes have.
    """
    base = digits_byol.experiment()
    return dataclasses.replace(
        base,
        name="digits_byol_multicrop",
        model=dataclasses.replace(base.model, pooled=True),
        method=byol(windows_weight=1.0),
        augment=dataclasses.replace(self_supervised_digits(), crops=4, crop_area=(0.2, 0.4)),
    )
