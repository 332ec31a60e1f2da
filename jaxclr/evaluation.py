"""Accuracy on whole sets of images, exact whatever the batch size."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PyTree, UInt8

from jaxclr.pipeline.augment import Augment
from jaxclr.pipeline.source import Domain
from jaxclr.training.layout import Layout
from jaxclr.training.step import Setting, normalise

CountHits = Callable[
    [PyTree, PyTree, UInt8[Array, "b h w 3"], Int[Array, " b"], Bool[Array, " b"]],
    Int[Array, " k"],
]


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


def evaluate(
    count_hits: CountHits, params: PyTree, stats: PyTree, layout: Layout, domain: Domain,
    indices: Sequence[int] | np.ndarray, augment: Augment, *,
    num_classes: int, batch_size: int = 128, threads: int = 2,
) -> Accuracy:  # fmt: skip
    """The accuracy on some images of a domain, each seen once as it is tested.

    The last batch is filled up with blank images, which count nowhere: every call is of one
    shape and compiles once.
    """
    batch_size = -(-batch_size // layout.num_devices) * layout.num_devices
    hits = np.zeros(num_classes, np.int64)
    label = domain.label[indices]

    def view(index: int) -> np.ndarray:
        return augment.evaluation(domain.images[index])

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for start in range(0, len(indices), batch_size):
            chosen = indices[start : start + batch_size]
            images = np.zeros((batch_size, augment.size, augment.size, 3), np.uint8)
            images[: len(chosen)] = list(pool.map(view, map(int, chosen)))
            padded = np.zeros(batch_size, np.int32)
            padded[: len(chosen)] = label[start : start + batch_size]
            real = np.arange(batch_size) < len(chosen)
            hits += np.asarray(count_hits(params, stats, *layout.put_batch((images, padded, real))))
    return Accuracy(hits, np.bincount(label, minlength=num_classes))
