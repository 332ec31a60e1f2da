"""CIFAR-100: small photographs of a hundred things."""

import dataclasses
from types import MappingProxyType

from jaxclr.pipeline.prepared import Prepared

CLASSES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
    "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
    "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo "
    "keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse "
    "mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy "
    "porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television "
    "tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


@dataclasses.dataclass(frozen=True)
class Cifar100(Prepared):
    """60,000 images (32 x 32) of 100 classes: 50,000 to train on, 10,000 to test on.

    Every class has 500 and 100 of them; these are the fine labels. Labeled images per class are
    usually 4, 25 or 100.

    How to get it: ``tfds build cifar100 --file_format=array_record``, which fetches the images from
    https://www.cs.toronto.edu/~kriz/cifar.html; this step alone needs TensorFlow.

    License: none is stated; the author asks to cite the report.

    References:
        Krizhevsky, `Learning Multiple Layers of Features from Tiny Images
        <https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf>`_, 2009.
    """

    builder = "cifar100"
    classes = tuple(CLASSES.split())
    counts = MappingProxyType({"train": 50_000, "test": 10_000})
    image_size = 32
    home = "https://www.cs.toronto.edu/~kriz/cifar.html"
