"""CIFAR-10: small photographs of ten things."""

import dataclasses
from types import MappingProxyType

from jaxclr.pipeline.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class Cifar10(Prepared):
    """60,000 images (32 x 32) of 10 classes: 50,000 to train on, 10,000 to test on.

    Every class has 5,000 and 1,000 of them. Labeled images per class are usually 1, 4, 25 or 400.

    How to get it: ``tfds build cifar10 --file_format=array_record``, which fetches the images from
    https://www.cs.toronto.edu/~kriz/cifar.html; this step alone needs TensorFlow.

    License: none is stated; the author asks to cite the report.

    References:
        Krizhevsky, `Learning Multiple Layers of Features from Tiny Images
        <https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf>`_, 2009.
    """

    builder = "cifar10"
    classes = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    counts = MappingProxyType({"train": 50_000, "test": 10_000})
    image_size = 32
    home = "https://www.cs.toronto.edu/~kriz/cifar.html"
