"""SimCLR on the embedded digits without labels, four-layer ConvNet; linear probe.

Command: ``python -m jaxclr.main --experiment=digits_simclr``
Cost: not measured.
Accuracy on held-out domains, %: 65.0 (width 32, seeds 1 and 2; mean over targets).
"""

from jaxclr.data.digits import Digits
from jaxclr.experiment import Experiment
from jaxclr.methods.simclr import simclr
from jaxclr.models.convnet import ConvNet
from jaxclr.models.heads import Mlp
from jaxclr.optim import Adam
from jaxclr.pipeline.self_supervised import self_supervised_digits
from jaxclr.probe import Probe


def experiment() -> Experiment:
    """Every target with seed 1; the probe learns from all of the sources' training labels."""
    return Experiment(
        name="digits_simclr",
        dataset=Digits(),
        model=ConvNet(projector=Mlp(256, 64, normalised=True)),
        method=simclr(),
        optimizer=Adam(learning_rate=3e-3, warmup=20),
        augment=self_supervised_digits(),
        evaluation=Probe(),
        seeds=(1,),
        unlabeled_ratio=2,
        steps=200,
        eval_every=200,
    )
