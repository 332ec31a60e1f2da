"""Builders of TensorFlow Datasets for benchmarks that it lacks; they work without TensorFlow.

``python -m jaxclr.tfds_builders pacs --root DIR --data-dir DIR`` prepares the images in the format
array_record, each domain as a split. The command ``tfds build`` needs TensorFlow and is not needed.
"""

import argparse
import dataclasses
import inspect
import io
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxclr.data.digits_dg import DigitsDg
from jaxclr.data.fmow import Fmow
from jaxclr.data.mini_domainnet import MiniDomainnet
from jaxclr.data.office_home import OfficeHome
from jaxclr.data.pacs import Pacs
from jaxclr.data.terra_incognita import TerraIncognita
from jaxclr.data.vlcs import Vlcs
from jaxclr.errors import InputError, JaxclrError
from jaxclr.pipeline.records import FORMAT, lacking_tfds
from jaxclr.pipeline.source import Collection, Domain, ImageFiles
from jaxclr.pipeline.storage import Stored, read

try:
    import tensorflow_datasets as tfds
except ImportError as error:
    raise lacking_tfds(error) from error

BENCHMARKS: dict[str, type[ImageFiles]] = {
    "pacs": Pacs,
    "office_home": OfficeHome,
    "vlcs": Vlcs,
    "terra_incognita": TerraIncognita,
    "digits_dg": DigitsDg,
    "mini_domainnet": MiniDomainnet,
    "fmow": Fmow,
}
"""The cards that the command knows, by their names."""


class ImagesBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Prepares what a card lists: a split per domain, images as they lie in their files.

    Beside ``image`` and ``label`` a record holds ``path``, the image's identity, and ``train``,
    whether it may be trained on. Images that are not, and images without a label (-1), are prepared
    as well. ``jaxclr.data.tfds.Tfds(builder=card.name)`` reads all of it back.

    Args:
        card: Its images must be files.
        data_dir: Where TFDS is to put the data set.
        kwargs: Whatever else TFDS allows.

    Raises:
        InputError: The images are not there, or a domain's name cannot be that of a split.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, card: ImageFiles, *, data_dir: str | None = None, **kwargs: Any):
        # A class of TFDS has one name, but this one has another for each card. It is given before
        # the base class begins, which asks for it.
        vars(self).update(name=card.name)
        self.card = dataclasses.replace(card, cache=None)
        self.collection: Collection = self.card.load()
        for domain in self.collection.domains:
            if not re.fullmatch(r"\w+", domain.name):
                raise InputError(
                    f"{domain.name!r} cannot be the name of a split of TensorFlow Datasets; give "
                    "the domain one of letters, digits and underscores."
                )
        super().__init__(data_dir=data_dir, file_format=FORMAT, **kwargs)

    def _info(self) -> Any:
        features = tfds.features
        columns = {
            "image": features.Image(),
            "label": features.ClassLabel(names=self.collection.classes),
            "path": features.Text(),
            "train": features.Scalar(dtype=np.bool_),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=inspect.getdoc(type(self.card)) or "",
            features=features.FeaturesDict(columns),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {domain.name: self._generate_examples(domain) for domain in self.collection.domains}

    def _generate_examples(self, domain: Domain) -> Iterator[tuple[int, dict[str, Any]]]:
        if not isinstance(domain.images, Stored):
            raise InputError(f"The images of {self.name!r} are not files; they cannot be prepared.")
        columns = zip(domain.images.entries, domain.label, domain.paths, domain.train, strict=True)
        for number, (entry, label, path, train) in enumerate(columns):
            image = io.BytesIO(read(entry))
            yield number, {"image": image, "label": int(label), "path": path, "train": bool(train)}


def prepare(card: ImageFiles, data_dir: str | None = None) -> str:
    """Prepares a card's images, unless they are prepared already.

    Args:
        card: Its images must be files.
        data_dir: Where to; None: where TFDS itself does.

    Returns:
        The folder of the prepared version.

    Raises:
        InputError: The images are not there, or cannot be prepared.
        JaxclrError: An image cannot be read.
    """
    builder = ImagesBuilder(card, data_dir=data_dir)
    builder.download_and_prepare()
    return str(builder.data_dir)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0, 1 for a failure, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m jaxclr.tfds_builders", description=__doc__)
    parser.add_argument("benchmark", choices=BENCHMARKS, help="which images to prepare")
    parser.add_argument("--root", help="folder or zip with them; by default as for a run")
    parser.add_argument("--data-dir", help="where to; by default where TensorFlow Datasets does")
    chosen = parser.parse_args(argv)
    card = BENCHMARKS[chosen.benchmark](root=chosen.root)
    try:
        print(prepare(card, chosen.data_dir))
    except JaxclrError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
