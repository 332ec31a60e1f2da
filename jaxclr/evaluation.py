"""What a network says of whole sets of plain images, exact whatever the batch size."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Shaped, UInt8

from jaxclr.models.network import PureNetwork
from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.source import Domain
from jaxclr.training.layout import Layout
from jaxclr.training.passes import normalise
from jaxclr.types import Tensor


class Seen(NamedTuple):
    """What a network says of images as they are tested, in float32."""

    logits: Float[Tensor, "b k"]
    features: Float[Tensor, "b d"]
    embedding: Float[Tensor, "b e"]


Predict = Callable[[PyTree, PyTree, UInt8[Array, "b h w 3"]], Seen]
Indices = Sequence[int] | np.ndarray

BATCH = 128
"""Images predicted at once, or somewhat more where devices could not share them."""


class Accuracy(NamedTuple):
    """Hits and images of each class."""

    hits: Int[np.ndarray, " k"]
    counts: Int[np.ndarray, " k"]

    @classmethod
    def of(
        cls, guess: Int[np.ndarray, " n"], label: Int[np.ndarray, " n"], num_classes: int
    ) -> "Accuracy":
        """The accuracy of some guesses."""
        hits = np.bincount(label[guess == label], minlength=num_classes)
        return cls(hits, np.bincount(label, minlength=num_classes))

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


def make_predict(network: PureNetwork, augment: Augment, dtype: Any, layout: Layout) -> Predict:
    """A jitted function of images as they are tested; batch norm goes by running statistics."""

    def predict(params: PyTree, stats: PyTree, images: UInt8[Array, "b h w 3"]) -> Seen:
        pixels = normalise(images, augment.mean, augment.std).astype(dtype)
        found, _ = network(params, stats, pixels, groups=1, train=False)
        seen = Seen(found.logits, found.features, found.embedding)
        return jax.tree.map(lambda x: x.astype(jnp.float32), seen)

    return jax.jit(predict, out_shardings=layout.replicated)


def over_images(
    predict: Predict, pick: Callable[[Seen], Shaped[Tensor, "b ..."]], params: PyTree,
    stats: PyTree, layout: Layout, domain: Domain, indices: Indices, augment: Augment, *,
    batch_size: int = BATCH, threads: int = 2,
) -> Shaped[np.ndarray, "m ..."]:  # fmt: skip
    """What a network says of some images of a domain, in the order asked for.

    Args:
        predict: By :func:`make_predict`.
        pick: From what it says of a batch to what is wanted of it, such as the features.
        params: The network's.
        stats: The network's.
        layout: Where arrays lie.
        domain: Whose images.
        indices: Which of them: one or more.
        augment: Says how they are tested.
        batch_size: Images at once. The last batch is filled up with blank ones, which are left
            out again: every call is of one shape and compiles once.
        threads: How many read images.
    """
    batches = plain_batches(layout, domain, indices, augment, batch_size, threads)
    found = [np.asarray(pick(predict(params, stats, layout.put_batch(b)))) for b in batches]
    # Only the last batch is filled up, behind its images.
    return np.concatenate(found)[: len(indices)]


def plain_batches(
    layout: Layout, domain: Domain, indices: Indices, augment: Augment, batch_size: int,
    threads: int,
) -> Iterator[UInt8[np.ndarray, "b h w 3"]]:  # fmt: skip
    """Images as they are tested, in batches of one size that the devices can share.

    Every process reads its own part of each batch; they go through the batches together.
    """
    size = -(-batch_size // layout.num_devices) * layout.num_devices
    own = layout.rows(size)

    def view(index: int) -> np.ndarray:
        return augment.evaluation(domain.images[index])

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for start in range(0, len(indices), size):
            chosen = indices[start : start + size][own]
            images = np.zeros((own.stop - own.start, augment.size, augment.size, 3), np.uint8)
            for place, image in enumerate(pool.map(view, map(int, chosen))):
                images[place] = image
            yield images
