"""A pass through a backbone in chunks, of which only one is in memory at a time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Num, PyTree, Shaped

from jaxclr.errors import InputError

Backbone = Callable[[PyTree, PyTree, Num[Array, "b h w 3"], int], tuple[Num[Array, "b d"], PyTree]]
"""From parameters, running statistics, images and how many domains they are of, to features and
the running statistics after it."""


class Cut:
    """How examples, of which domains vary fastest, are cut into chunks, and put together again.

    Every chunk has examples of every row, hence of every device.

    Args:
        columns: Example ``e`` is of column ``e % columns``, which no cut parts.
        chunks: Of as equally many columns as can be; at most ``columns``.
    """

    def __init__(self, columns: int, chunks: int):
        self.columns = columns
        self.counts = tuple(map(len, np.array_split(np.arange(columns), chunks)))

    def parts(self, x: Shaped[Array, "b ..."]) -> list[Shaped[Array, "_b ..."]]:
        """The chunks, in which columns again vary fastest."""
        rows = x.reshape(-1, self.columns, *x.shape[1:])
        ends = np.cumsum(self.counts[:-1])
        return [part.reshape(-1, *x.shape[1:]) for part in jnp.split(rows, ends, axis=1)]

    def whole(self, parts: list[Shaped[Array, "_b ..."]]) -> Shaped[Array, "b ..."]:
        """What :meth:`parts` has cut."""
        pairs = zip(parts, self.counts, strict=True)
        rows = [part.reshape(-1, count, *part.shape[1:]) for part, count in pairs]
        return jnp.concatenate(rows, axis=1).reshape(-1, *parts[0].shape[1:])


def has_batch_norm(backbone: nnx.Module) -> bool:
    """Whether it keeps running statistics, so that images of a domain are not to be parted."""
    return bool(jax.tree.leaves(nnx.state(backbone, nnx.BatchStat)))


def by_chunks(
    backbone: nnx.Module, images: Num[Array, "b h w 3"], *, groups: int, chunks: int
) -> Num[Array, "b d"]:
    r"""Features in training, chunk after chunk, and their gradient with one chunk in memory.

    With batch norm the chunks are whole domains, whose statistics and whose order in the running
    statistics (in the backbone, as after any pass) are those of the pass in one; without, every
    ``chunks``-th image. Of the way forward only the images are kept, and each chunk's is gone
    again on the way back, :math:`\nabla_\theta = \sum_c J_c^\top g_c`, with :math:`g_c` the
    gradient in the features of chunk :math:`c` and :math:`J_c` theirs in the parameters: the
    gradient of any loss of *all* features, up to rounding. The running statistics have none.

    Args:
        backbone: Called with images, ``groups`` and ``train``.
        images: ``groups`` domains vary fastest.
        groups: How many domains keep statistics of their own.
        chunks: With batch norm at most ``groups``; without, a divisor of the number of images.
    """
    graph, *arrays = nnx.split(backbone, nnx.Param, ...)
    params, stats = map(nnx.to_pure_dict, arrays)

    def apply(
        params: PyTree, stats: PyTree, images: Num[Array, "c h w 3"], groups: int
    ) -> tuple[Num[Array, "c d"], PyTree]:
        layers = nnx.merge(graph, params, stats)
        features = layers(images, groups=groups, train=True)
        return features, nnx.to_pure_dict(nnx.split(layers, nnx.Param, ...)[-1])

    cut = Cut(groups if has_batch_norm(backbone) else chunks, chunks)
    features, stats = _chunked(apply, cut)(params, stats, images)
    nnx.update(backbone, stats)
    return features


def _chunked(
    apply: Backbone, cut: Cut
) -> Callable[[PyTree, PyTree, Num[Array, "b h w 3"]], tuple[Num[Array, "b d"], PyTree]]:
    """The backbone of the whole, whose derivative is taken chunk by chunk."""

    @jax.custom_vjp
    def run(
        params: PyTree, stats: PyTree, images: Num[Array, "b h w 3"]
    ) -> tuple[Num[Array, "b d"], PyTree]:
        found = []
        for part, count in zip(cut.parts(images), cut.counts, strict=True):
            # Nothing of a chunk is begun before the features of the one before it are there.
            part, found = jax.lax.optimization_barrier((part, found))
            features, stats = apply(params, stats, part, count)
            found.append(features)
        return cut.whole(found), stats

    def forward(params: PyTree, stats: PyTree, images: Num[Array, "b h w 3"]) -> PyTree:
        return run(params, stats, images), (params, stats, images)

    def backward(kept: PyTree, slopes: PyTree) -> PyTree:
        params, stats, images = kept
        total, seen = jax.tree.map(jnp.zeros_like, params), []
        chunks = zip(cut.parts(images), cut.parts(slopes[0]), cut.counts, strict=True)
        for part, slope, count in chunks:
            # Nor is its gradient, before that of the one before it has been added; and what was
            # computed on the way forward is not taken for the same, and kept.
            part, slope, total = jax.lax.optimization_barrier((part, slope, total))
            _, pull = jax.vjp(lambda p, x, n=count: apply(p, stats, x, n)[0], params, part)
            grads, pulled = pull(slope)
            total = jax.tree.map(jnp.add, total, grads)
            seen.append(pulled)
        return total, jax.tree.map(jnp.zeros_like, stats), cut.whole(seen)

    run.defvjp(forward, backward)
    return run


def compiler_options() -> dict[str, str | bool | int | float]:
    """What lets the compiler spend no more memory than chunks, or blocks computed again, need.

    On the CPU it drops barriers early, and then takes what is computed twice for one; elsewhere
    there is nothing to tell it.
    """
    on_cpu = jax.default_backend() == "cpu"
    return {"xla_disable_hlo_passes": "cse_barrier_expander"} if on_cpu else {}


def refuse_misfit(
    backbone: nnx.Module, *, chunks: int, groups: int, domains: int, images: int
) -> None:
    """Tells in which numbers chunks can be had.

    Args:
        backbone: May be abstract.
        chunks: Wanted.
        groups: Of which batch norm keeps statistics: as many as domains, or one.
        domains: The source domains.
        images: Labeled ones in a batch on each device.

    Raises:
        InputError: In this number they cannot.
    """
    if chunks == 1:
        return
    if not has_batch_norm(backbone):
        if images % chunks:
            raise InputError(
                f"--chunks is {chunks}, and a device's part of the labeled images of a batch, "
                f"{images}, is no multiple of it. Give another --chunks or --batch-per-domain."
            )
    elif groups == 1 < domains:
        raise InputError(
            f"--chunks is {chunks}, but --model.norm pooled normalises by the statistics of the "
            "whole batch, which are not to be had in chunks. Give --model.norm domain, or "
            "--chunks 1."
        )
    elif chunks > groups:
        raise InputError(
            f"--chunks is {chunks}, but batch norm needs each of the {domains} source domains in "
            f"one chunk. Give --chunks {domains} or less."
        )
