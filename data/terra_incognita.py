"""TerraIncognita: animals before camera traps at four places."""

import dataclasses

from jaxclr.pipeline.benchmark import Benchmark


@dataclasses.dataclass(frozen=True)
class TerraIncognita(Benchmark):
    """Images of 10 classes in 4 domains, in the layout of DomainBed.

    In all, 24,788 images are usually reported; how many each place has is not known to us. There
    are no folders ``train``: every image of a source is trained on, and as the target, a domain is
    tested whole. Labeled images per class and source domain are usually 10 or 5.

    How to get it: ``python -m domainbed.scripts.download`` of DomainBed, which fetches
    eccv_18_all_images_sm.tar.gz and its annotations, and sorts images of four places into folders.

    License: Community Data License Agreement, permissive variant.

    References:
        Beery, Van Horn, Perona, `Recognition in Terra Incognita
        <https://arxiv.org/abs/1807.04975>`_, ECCV 2018.
    """

    domains = ("location_100", "location_38", "location_43", "location_46")
    classes = (
        *("bird", "bobcat", "cat", "coyote", "dog"),
        *("empty", "opossum", "rabbit", "raccoon", "squirrel"),
    )
    layout = "location_{38,43,46,100}/<class>/*.jpg, in a folder or in zips"
    how_to_get = (
        "eccv_18_all_images_sm.tar.gz is had from "
        "https://lila.science/datasets/caltech-camera-traps; domainbed/scripts/download.py of "
        "https://github.com/facebookresearch/DomainBed fetches and sorts it."
    )
    total = 24_788
    labels_per_class = (10, 5)
    input_size = 224
    home = "https://lila.science/datasets/caltech-camera-traps"
    file = "eccv_18_all_images_sm.tar.gz"
    license = "Community Data License Agreement, permissive variant"
    citation = (
        "Beery et al., Recognition in Terra Incognita, ECCV 2018, https://arxiv.org/abs/1807.04975"
    )
