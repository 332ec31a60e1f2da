"""SimCLR on CIFAR-10, ResNet-18 of 3 x 3 stem; linear probe.

Command: ``python -m jaxclr.main --experiment=cifar10_simclr``
Cost: not measured.
Accuracy on the test images, %: not measured yet.
"""

from jaxclr.data.cifar10 import Cifar10
from jaxclr.experiment import Experiment
from jaxclr.methods.simclr import simclr
from jaxclr.models.heads import Mlp
from jaxclr.models.resnet import ResNet
from jaxclr.optim import Adam
from jaxclr.pipeline.self_supervised import self_supervised_cifar10
from jaxclr.probe import Probe


def experiment() -> Experiment:
    """Batches of 512 images, 1,000 passes over 50,000, seeds 1 to 5; the labels are not used."""
    return Experiment(
        name="cifar10_simclr",
        dataset=Cifar10(),
        model=ResNet(stem="small", projector=Mlp(1024, 64, normalised=True)),
        method=simclr(),
        optimizer=Adam(),
        augment=self_supervised_cifar10(),
        evaluation=Probe(),
        targets=("test",),
        labels_per_class=400,
        labeled_in_pool=True,
        batch_per_domain=64,
        unlabeled_ratio=7,
        steps=97_656,
    )
