"""Digits-DG: handwritten digits, the same on photographs, house numbers, and rendered digits."""

import dataclasses
from types import MappingProxyType

from jaxclr.pipeline.benchmark import Benchmark


@dataclasses.dataclass(frozen=True)
class DigitsDg(Benchmark):
    """24,000 images of 10 classes in 4 domains, 600 of each class in each of them.

    Images in folders ``train`` are trained on, those in ``val`` are not; as the target, a domain is
    tested whole. Labeled images per class and source domain are usually 10 or 5.

    How to get it: digits_dg.zip, linked from the page on data sets of Dassl.pytorch.

    License: none is stated; its parts are from MNIST, MNIST-M, SVHN (not for commercial use) and
    synthetic digits, each under its own terms.

    References:
        Zhou, Yang, Hospedales, Xiang, `Deep Domain-Adversarial Image Generation for Domain
        Generalisation <https://arxiv.org/abs/2003.06054>`_, AAAI 2020.
    """

    domains = ("mnist", "mnist_m", "svhn", "syn")
    classes = tuple("0123456789")
    layout = "<domain>/{train,val}/<0..9>/*.jpg, in a folder or in zips"
    how_to_get = (
        "digits_dg.zip is linked from "
        "https://github.com/KaiyangZhou/Dassl.pytorch/blob/master/DATASETS.md."
    )
    counts = MappingProxyType(dict.fromkeys(domains, 6_000))
    counts_per_class = MappingProxyType(dict.fromkeys(domains, (600,) * 10))
    labels_per_class = (10, 5)
    input_size = 224
    home = "https://github.com/KaiyangZhou/Dassl.pytorch/blob/master/DATASETS.md"
    file = "digits_dg.zip"
    license = "none is stated; MNIST, MNIST-M, SVHN and synthetic digits have their own terms"
    citation = (
        "Zhou et al., Deep Domain-Adversarial Image Generation for Domain Generalisation, AAAI "
        "2020, https://arxiv.org/abs/2003.06054"
    )
