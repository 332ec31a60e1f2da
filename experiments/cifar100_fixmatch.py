"""FixMatch on CIFAR-100, WRN-28-2, 400 labels; one domain, so plain semi-supervised learning.

Command: ``python -m jaxclr.main --experiment=cifar100_fixmatch``
Cost: not measured.
Accuracy on the test images, %: not measured yet.
"""

from jaxclr.data.cifar100 import Cifar100
from jaxclr.experiment import Experiment
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.models.wide_resnet import WideResNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.small_images import cifar100


def experiment() -> Experiment:
    """FixMatch's protocol: 64 labeled and 448 unlabeled images, 2^19 steps, averaged weights."""
    return Experiment(
        name="cifar100_fixmatch",
        dataset=Cifar100(),
        model=WideResNet(),
        method=fixmatch(labeled=False),
        optimizer=Sgd(
            learning_rate=0.03,
            head_learning_rate=0.03,
            weight_decay=1e-3,
            nesterov=True,
            schedule="cosine_7_16",
            decays_all=False,
        ),
        augment=cifar100(),
        targets=("test",),
        seeds=(1, 2, 3),
        labels_per_class=4,
        labeled_in_pool=True,
        batch_per_domain=64,
        unlabeled_ratio=7,
        steps=2**19,
        eval_every=2**13,
        ema_decay=0.999,
    )
