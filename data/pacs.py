"""PACS: photographs, art paintings, cartoons and sketches of seven things."""

import dataclasses
import logging
from types import MappingProxyType
from typing import ClassVar

from jaxclr.pipeline.source import Collection, ImageFolders

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Pacs(ImageFolders):
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

    counts: ClassVar[MappingProxyType[str, int]] = MappingProxyType(
        {"art_painting": 2048, "cartoon": 2344, "photo": 1670, "sketch": 3928}
    )
    """Images of each domain that can be used."""

    labels_per_class: ClassVar[tuple[int, ...]] = (10, 5)
    """Labeled images per class and source domain that results are published for."""

    def load(self) -> Collection:
        """Lists the images of every domain; warns where their number is not the published one.

        Raises:
            InputError: The images are not there, or are not laid out as expected.
            JaxclrError: An image cannot be decoded, or the cache cannot be written.
        """
        collection = super().load()
        for domain in collection.domains:
            if len(domain.paths) != self.counts[domain.name]:
                logger.warning(
                    "%s: %d images are here, %d were published",
                    *(domain.name, len(domain.paths), self.counts[domain.name]),
                )
        return collection
