"""What a network says of whole sets of plain images, exact whatever the batch size."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, UInt8

from jaxclr.models.network import PureNetwork
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.source import Domain
from jaxclr.training.layout import Layout
from jaxclr.training.passes import normalise
from jaxclr.training.state import Setting

CountHits = Callable[
    [PyTree, PyTree, UInt8[Array, "b h w 3"], Int[Array, " b"], Bool[Array, " b"]],
    Int[Array, " k"],
]
Embed = Callable[[PyTree, PyTree, UInt8[Array, "b h w 3"]], Float[Array, "b d"]]
Indices = Sequence[int] | np.ndarray

BATCH = 128
"""Images predicted at once, or somewhat more where devices could not share them."""


class Accuracy(NamedTuple):
    """Hits and images of each class."""

    hits: Int[np.ndarray, " k"]
    counts: Int[np.ndarray, " k"]

    @property
    def total(self) -> float:
        """Top-1 accuracy over all images, in %."""
        return 100 * int(self.hits.sum()) / int(self.counts.sum())

    @property
    def per_class(self) -> list[float | None]:
        """Top-1 accuracy of each class, in %; None of a class without images."""
        return [
            100 * int(h) / int(c) if c else None
            for h, c in zip(self.hits, self.counts, strict=True)
        ]

    def plus(self, other: "Accuracy") -> "Accuracy":
        """The accuracy over both sets."""
        return Accuracy(self.hits + other.hits, self.counts + other.counts)


class Padded(NamedTuple):
    """This process's part of a batch of one size always; what fills it up counts nowhere."""

    images: UInt8[np.ndarray, "b h w 3"]
    label: Int[np.ndarray, " b"]
    real: Bool[np.ndarray, " b"]


def make_count_hits(setting: Setting, layout: Layout) -> CountHits:
    """A jitted function that counts the right predictions of each class, by running statistics."""

    def count_hits(
        params: PyTree, stats: PyTree, images: UInt8[Array, "b h w 3"],
        label: Int[Array, " b"], real: Bool[Array, " b"],
    ) -> Int[Array, " k"]:  # fmt: skip
        pixels = normalise(images, setting.mean, setting.std).astype(setting.dtype)
        prediction, _ = setting.network(params, stats, pixels, groups=1, train=False)
        hit = (prediction.logits.argmax(-1) == label) & real
        return jnp.zeros(setting.num_classes, jnp.int32).at[label].add(hit.astype(jnp.int32))

    return jax.jit(count_hits, out_shardings=layout.replicated)


def make_embed(
    network: PureNetwork, augment: Augment, dtype: Any, layout: Layout, *, embedding: bool = False
) -> Embed:
    """A jitted function that gives features, or embeddings, by running statistics, in float32."""

    def embed(
        params: PyTree, stats: PyTree, images: UInt8[Array, "b h w 3"]
    ) -> Float[Array, "b d"]:
        pixels = normalise(images, augment.mean, augment.std).astype(dtype)
        prediction, _ = network(params, stats, pixels, groups=1, train=False)
        found = prediction.embedding if embedding else prediction.features
        return found.astype(jnp.float32)

    return jax.jit(embed, out_shardings=layout.replicated)


def evaluate(
    count_hits: CountHits, params: PyTree, stats: PyTree, layout: Layout, domain: Domain,
    indices: Indices, augment: Augment, *,
    num_classes: int, batch_size: int = BATCH, threads: int = 2,
) -> Accuracy:  # fmt: skip
    """The accuracy on some images of a domain, each seen once as it is tested.

    The last batch is filled up with blank images, which count nowhere: every call is of one
    shape and compiles once.
    """
    hits = np.zeros(num_classes, np.int64)
    batches = plain_batches(layout, domain, indices, augment, batch_size, threads)
    for batch in batches:
        hits += np.asarray(count_hits(params, stats, *layout.put_batch(batch)))
    return Accuracy(hits, np.bincount(domain.label[indices], minlength=num_classes))


def features_of(
    embed: Embed, params: PyTree, stats: PyTree, layout: Layout, domain: Domain,
    indices: Indices, augment: Augment, *, batch_size: int = BATCH, threads: int = 2,
) -> Float[np.ndarray, "m d"]:  # fmt: skip
    """Features of some images of a domain, in the order asked for."""
    found = [
        np.asarray(embed(params, stats, layout.put_batch(batch.images)))
        for batch in plain_batches(layout, domain, indices, augment, batch_size, threads)
    ]
    # Only the last batch is filled up, behind its images.
    return np.concatenate(found)[: len(indices)]


def plain_batches(
    layout: Layout, domain: Domain, indices: Indices, augment: Augment, batch_size: int,
    threads: int,
) -> Iterator[Padded]:  # fmt: skip
    """Images as they are tested, in batches of one size that the devices can share.

    Every process reads its own part of each batch; they go through the batches together.
    """
    size = -(-batch_size // layout.num_devices) * layout.num_devices
    own, label = layout.rows(size), domain.label[indices]
    count = own.stop - own.start

    def view(index: int) -> np.ndarray:
        return augment.evaluation(domain.images[index])

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for start in range(0, len(indices), size):
            chosen = indices[start : start + size][own]
            images = np.zeros((count, augment.size, augment.size, 3), np.uint8)
            for place, image in enumerate(pool.map(view, map(int, chosen))):
                images[place] = image
            padded = np.zeros(count, np.int32)
            padded[: len(chosen)] = label[start : start + size][own]
            yield Padded(images, padded, np.arange(count) < len(chosen))
