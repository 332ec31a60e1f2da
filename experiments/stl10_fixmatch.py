"""FixMatch on STL-10, WRN-37-2, 40 labels; one domain, so plain semi-supervised learning.

Command: ``python -m jaxclr.main --experiment=stl10_fixmatch``
Cost: not measured.
Accuracy on the test images, %: not measured yet.
"""

from jaxclr.data.stl10 import Stl10
from jaxclr.experiment import Experiment
from jaxclr.methods.fixmatch import fixmatch
from jaxclr.models.wide_resnet import WideResNet
from jaxclr.optim import Sgd
from jaxclr.pipeline.small_images import stl10


def experiment() -> Experiment:
    """FixMatch's protocol: 64 labeled and 448 unlabeled images, 2^19 steps, averaged weights."""
    return Experiment(
        name="stl10_fixmatch",
        dataset=Stl10(),
        model=WideResNet(depth=37),
        method=fixmatch(labeled=False),
        optimizer=Sgd(
            learning_rate=0.03,
            head_learning_rate=0.03,
            weight_decay=5e-4,
            nesterov=True,
            schedule="cosine_7_16",
            decays_all=False,
        ),
        augment=stl10(),
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
