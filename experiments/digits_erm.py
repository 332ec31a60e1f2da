"""ERM on the labeled images of the embedded digits, 10 per class and domain; 4-layer ConvNet.

Command: ``python -m jaxclr.main --experiment=digits_erm``
Cost: about a minute a target on one core.
Accuracy on held-out domains, %: 67.1 (250 steps, seeds 1 to 3; mean over targets).
"""

from jaxclr.data.digits import Digits
from jaxclr.experiment import Experiment
from jaxclr.methods.erm import erm
from jaxclr.models.convnet import ConvNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.augment import digits


def experiment() -> Experiment:
    """Every target with seed 1."""
    return Experiment(
        name="digits_erm",
        dataset=Digits(),
        model=ConvNet(),
        method=erm(),
        optimizer=Sgd(learning_rate=0.01, head_learning_rate=0.01),
        augment=digits(),
        seeds=(1,),
        steps=200,
        eval_every=50,
    )
