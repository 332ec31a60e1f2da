"""SVHN: digits of house numbers, cut out of photographs of streets."""

import dataclasses
from types import MappingProxyType

from jaxclr.pipeline.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class Svhn(Prepared):
    """99,289 images (32 x 32) of 10 digits: 73,257 to train on, 26,032 to test on.

    These are the cropped digits; a class has from 4,659 (digit 9) to 13,861 (digit 1) training
    images. Another 531,131, somewhat easier, are trained on too if asked. Labeled images per class
    are usually 4, 25 or 100.

    How to get it: ``tfds build svhn_cropped --file_format=array_record``, which fetches the images
    from http://ufldl.stanford.edu/housenumbers; this step alone needs TensorFlow.

    License: for non-commercial use only, by its page.

    References:
        Netzer, Wang, Coates, Bissacco, Wu, Ng, `Reading Digits in Natural Images with Unsupervised
        Feature Learning <http://ufldl.stanford.edu/housenumbers/nips2011_housenumbers.pdf>`_, 2011.
    """

    extra: bool = False
    """Whether the 531,131 extra images are trained on, too."""

    builder = "svhn_cropped"
    classes = tuple("0123456789")
    counts = MappingProxyType({"train": 73_257, "test": 26_032, "extra": 531_131})
    image_size = 32
    home = "http://ufldl.stanford.edu/housenumbers"

    @property
    def splits(self) -> dict[str, tuple[str, ...]]:
        """The splits of each domain, sorted."""
        train = ("extra", "train") if self.extra else ("train",)
        return {"train": train, "test": ("test",)}
