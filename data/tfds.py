"""Any images that TensorFlow Datasets has prepared, read without TensorFlow."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxclr.pipeline.columns import Column, Columns, Roles, Table
from jaxclr.pipeline.records import Records, command, find, record, source, tfds
from jaxclr.pipeline.source import Images


@dataclasses.dataclass(frozen=True)
class Tfds(Columns):
    """Reads what TensorFlow Datasets (TFDS) has prepared in its format array_record.

    Each split is a domain; or else a column of integers, text or classes tells the domain of an
    image. A split ``train`` is then what may be trained on, if there is one.

    What ``python -m jaxclr.tfds_builders`` prepares of our own cards is read so, with the same
    domains, classes, training images and names of images: what is drawn by a seed is the same.
    """

    builder: str = dataclasses.field(kw_only=True)
    """What TFDS calls the data set: ``<name>``, or ``<name>/<config>``."""

    root: str | None = None
    """Folder that TFDS prepared data sets in, or this one's own folder in it; by default
    $JAXCLR_DATA, then where TFDS itself looks: $TFDS_DATA_DIR, or ~/tensorflow_datasets."""

    def _table(self) -> Table:
        # What was opened before may have been prepared anew since.
        source.cache_clear()
        folder, info = find(
            self.name, self.builder, self.root,
            f"It is prepared by {command(self.builder)}, which needs TensorFlow, maybe in another "
            "environment; or, of a data set that TensorFlow Datasets lacks, by python -m "
            "jaxclr.tfds_builders.",
        )  # fmt: skip
        columns = {name: _column(feature) for name, feature in info.features.items()}
        splits = {name: split.num_examples for name, split in info.splits.items()}
        return Table(folder, columns, splits)

    def _values(self, table: Table, split: str, roles: Roles) -> Iterator[Mapping[str, Any]]:
        texts = [name for name, column in table.columns.items() if column.kind == "text"]
        for number in range(table.splits[split]):
            values = record(table.origin, split, number, roles.image)
            yield {**values, **{name: values[name].decode() for name in texts}}

    def _images(self, table: Table, parts: tuple[tuple[str, int], ...], roles: Roles) -> Images:
        return Records(table.origin, parts, roles.image)


def _column(feature: Any) -> Column:
    """What a feature of TFDS holds."""
    features = tfds().features
    if isinstance(feature, features.Image):
        return Column("image")
    if isinstance(feature, features.ClassLabel):
        return Column("class", tuple(feature.names))
    if isinstance(feature, features.Text):
        return Column("text")
    if type(feature) in (features.Tensor, features.Scalar) and feature.shape == ():
        if feature.np_dtype == np.bool_:
            return Column("flag")
        if np.issubdtype(feature.np_dtype, np.integer):
            return Column("number")
    return Column("other")
