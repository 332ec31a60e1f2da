"""Small data sets that TensorFlow Datasets prepares, without TensorFlow."""

import io
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image


def pixels(split: str, number: int, size: int) -> np.ndarray:
    """Other pixels for every image."""
    rng = np.random.default_rng([number, *split.encode()])
    return rng.integers(0, 256, (size, size, 3), np.uint8)


def prepare(
    root: Path, name: str, classes: tuple[str, ...], labels: dict[str, list[int]], *,
    size: int = 8, version: str = "3.0.2", shards: int = 1,
) -> Path:  # fmt: skip
    """Prepares images of the given labels, split by split; returns the folder of the version."""

    class Maker(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)

        def _info(self):
            features = {
                "id": tfds.features.Text(),
                "image": tfds.features.Image(shape=(size, size, 3)),
                "label": tfds.features.ClassLabel(names=classes),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, _):
            return {split: self._generate_examples(split) for split in labels}

        def _generate_examples(self, split):
            for number, label in enumerate(labels[split]):
                # As a file, since an array would be encoded by TensorFlow.
                png = io.BytesIO()
                Image.fromarray(pixels(split, number, size)).save(png, "PNG")
                png.seek(0)
                yield number, {"id": f"{split}_{number:05}", "image": png, "label": label}

    Maker.name = name
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(num_shards=shards)
    maker = Maker(data_dir=root, file_format="array_record")
    maker.download_and_prepare(download_config=config)
    return root / name / version


def prepared(labels: dict[str, list[int]], *splits: str, size: int = 8) -> list[tuple[bytes, int]]:
    """Pixels and label of every image of some splits, sorted."""
    return sorted(
        (pixels(split, number, size).tobytes(), label)
        for split in splits
        for number, label in enumerate(labels[split])
    )


def read(domain) -> list[tuple[bytes, int]]:
    """The same of what a domain holds."""
    return sorted(
        (image.tobytes(), int(label))
        for image, label in zip(domain.images, domain.label, strict=True)
    )
