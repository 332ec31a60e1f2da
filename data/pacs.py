"""PACS: photographs, art paintings, cartoons and sketches of seven things."""

import dataclasses
from types import MappingProxyType

from jaxclr.pipeline.benchmark import Benchmark


@dataclasses.dataclass(frozen=True)
class Pacs(Benchmark):
    """9,991 images (227 x 227 as published) of 7 classes in 4 domains.

    One sketch of a dog is left out, as everywhere in the field: the published file cannot be
    decoded. Labeled images per class and source domain are usually 10 or 5. Images in the lists
    ``<domain>_train_kfold.txt`` are trained on, those in ``_crossval_`` are not; as the target, a
    domain is tested whole. Without the lists every image is trained on.

    How to get it: PACS.zip, from the project page of the paper below.

    License: research use only; the terms are those of its project page.

    References:
        Li, Yang, Song, Hospedales, `Deeper, Broader and Artier Domain Generalization
        <https://arxiv.org/abs/1710.03077>`_, ICCV 2017.
    """

    domains = ("art_painting", "cartoon", "photo", "sketch")
    classes = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")
    layout = (
        "images/<domain>/<class>/*.jpg with splits/<domain>_{train,crossval,test}_kfold.txt, "
        "or <domain>/<class>/*.jpg, in a folder or in zips"
    )
    how_to_get = (
        "PACS.zip is had from the project page of 'Deeper, Broader and Artier Domain "
        "Generalization' (Li et al., 2017)."
    )
    left_out = frozenset({"sketch/dog/n02103406_4068-1"})

    counts = MappingProxyType(
        {"art_painting": 2048, "cartoon": 2344, "photo": 1670, "sketch": 3928}
    )
    counts_per_class = MappingProxyType(
        {
            "art_painting": (379, 255, 285, 184, 201, 295, 449),
            "cartoon": (389, 457, 346, 135, 324, 288, 405),
            "photo": (189, 202, 182, 186, 199, 280, 432),
            "sketch": (771, 740, 753, 608, 816, 80, 160),
        }
    )
    labels_per_class = (10, 5)
    input_size = 224
    home = "https://arxiv.org/abs/1710.03077"
    file = "PACS.zip, from its project page"
    license = "for research; the terms are those of its project page"
    citation = (
        "Li et al., Deeper, Broader and Artier Domain Generalization, ICCV 2017, "
        "https://arxiv.org/abs/1710.03077"
    )
