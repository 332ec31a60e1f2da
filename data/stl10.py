"""STL-10: photographs of ten things, most of them without a label."""

import dataclasses
from types import MappingProxyType

from jaxclr.pipeline.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class Stl10(Prepared):
    """113,000 images (96 x 96) of 10 classes: 105,000 to train on, 8,000 to test on.

    Of the former, 5,000 have a label, 500 of each class; the label of the other 100,000 is -1.
    These show other things as well, such as bears and trains. A class has 800 test images. Labeled
    images per class are usually 4, 25 or 100.

    How to get it: ``tfds build stl10 --file_format=array_record``, which fetches the images from
    https://cs.stanford.edu/~acoates/stl10; this step alone needs TensorFlow.

    License: none is stated; the images are from ImageNet, whose terms are for research.

    References:
        Coates, Lee, Ng, `An Analysis of Single-Layer Networks in Unsupervised Feature Learning
        <https://cs.stanford.edu/~acoates/papers/coatesleeng_aistats_2011.pdf>`_, AISTATS 2011.
    """

    builder = "stl10"
    classes = (
        *("airplane", "bird", "car", "cat", "deer"),
        *("dog", "horse", "monkey", "ship", "truck"),
    )
    counts = MappingProxyType({"train": 5_000, "unlabelled": 100_000, "test": 8_000})
    unlabeled = frozenset({"unlabelled"})
    image_size = 96
    home = "https://cs.stanford.edu/~acoates/stl10"

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """The splits of each domain, sorted."""
        return {"train": ("train", "unlabelled"), "test": ("test",)}
