"""Batch norm that was folded into a ResNet's convolutions, and comes back from images."""

import re
from collections.abc import Collection, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Num, PyTree, Shaped

from jaxclr.models.network import PureNetwork
from jaxclr.models.norm import BatchNorm

CONVOLUTION = re.compile(r"^(.*?)(conv(\d+)|downsample\.0)$")
EPSILON = 1e-5
"""Of every batch norm of a ResNet."""


def is_folded(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> bool:
    """Whether a ResNet's batch norm was folded into its convolutions.

    Args:
        arrays: Of a file in torchvision's names.

    Returns:
        True where convolutions have biases, and nothing has running statistics.
    """
    biased = any(CONVOLUTION.match(name.removesuffix(".bias")) for name in _ending(arrays, ".bias"))
    return biased and not _ending(arrays, ".running_mean")


def unfolded(
    arrays: Mapping[str, Shaped[np.ndarray, "..."]],
) -> tuple[dict[str, Shaped[np.ndarray, "..."]], frozenset[str]]:
    r"""The same network with the batch norms that were folded: they only add the biases.

    Each has the bias :math:`b` of its convolution as its shift, running statistics of 0 and 1, and
    the scale :math:`\sqrt{1 + \epsilon}`: by running statistics :math:`x` becomes :math:`x + b`.
    Biases of convolutions whose weights are missing stay where they are.

    Args:
        arrays: Of a file that is folded.

    Returns:
        The arrays, and the names of those among them that are not of the file.
    """
    found, assumed = dict(arrays), set()
    for name in _ending(arrays, ".bias"):
        conv = CONVOLUTION.match(name.removesuffix(".bias"))
        if conv is None or f"{conv[0]}.weight" not in arrays:
            continue
        bias = found.pop(name)
        norm = conv[1] + (f"bn{conv[3]}" if conv[3] else "downsample.1")
        made = {
            f"{norm}.weight": np.full_like(bias, np.sqrt(1 + EPSILON)),
            f"{norm}.running_mean": np.zeros_like(bias),
            f"{norm}.running_var": np.ones_like(bias),
        }
        found |= {f"{norm}.bias": bias, **made}
        assumed |= made.keys()
    return found, frozenset(assumed)


class Restoring(nnx.Module):
    """Stands in for a batch norm in one pass: its statistics become those of what comes in."""

    def __init__(self, norm: BatchNorm, folded: bool):
        self.norm, self.folded = norm, folded

    def __call__(
        self, x: Num[Array, "b h w c"], *, groups: int, train: bool
    ) -> Num[Array, "b h w c"]:
        """What the batch norm says of the same maps once it is restored."""
        norm, single = self.norm, x.astype(jnp.float32)
        mean = single.mean((0, 1, 2))
        var = jnp.square(single - mean).mean((0, 1, 2))
        if self.folded:
            norm.scale[...] = jnp.sqrt(var + norm.epsilon)
            norm.bias[...] = norm.bias[...] + mean
        norm.mean[...], norm.var[...] = mean, var
        return norm(x, groups=1, train=False)


def restore_batch_norm(
    network: PureNetwork, images: Float[np.ndarray, "b h w 3"], *, new: Collection[str] = ()
) -> PureNetwork:
    r"""Gives trainable batch norm back to a network in which it only adds biases.

    Layer by layer, with :math:`\mu` and :math:`\sigma^2` the mean and variance of each channel of
    the convolution's output, over images and positions, and :math:`b` the bias that was added to
    it,

    .. math:: \gamma = \sqrt{\sigma^2 + \epsilon}, \qquad \beta = b + \mu,

    and :math:`\mu`, :math:`\sigma^2` are the running statistics. By these the network says what it
    said before, of any image; and in training, too, where a batch has the statistics of the
    images. Were the images those of the statistics that had been folded, then :math:`\beta` is the
    original shift, and :math:`\gamma` the original scale but for its sign, which the weights have.

    Our reconstruction: the statistics that were folded are lost.

    Args:
        network: Its batch norms add the biases and nothing else; see :func:`unfolded`.
        images: Normalised, of the source domains only: two or more.
        new: Batch norms that follow new convolutions, such as ``layer4_0/bn1``. They keep scale
            and shift, and get running statistics.

    Returns:
        The network with other parameters and running statistics.
    """
    graph = network.graph

    @jax.jit
    def restored(
        params: PyTree, stats: PyTree, images: Float[Array, "b h w 3"]
    ) -> tuple[PyTree, PyTree]:
        model = nnx.merge(graph, params, stats)
        norms = [
            (path, part)
            for path, part in nnx.iter_graph(model.backbone)
            if isinstance(part, BatchNorm)
        ]
        for path, norm in norms:
            folded = "/".join(map(str, path)) not in new
            setattr(_at(model.backbone, path[:-1]), str(path[-1]), Restoring(norm, folded))
        model.backbone(images, groups=1, train=False)
        for path, norm in norms:
            setattr(_at(model.backbone, path[:-1]), str(path[-1]), norm)
        _, params, stats = nnx.split(model, nnx.Param, ...)
        return nnx.to_pure_dict(params), nnx.to_pure_dict(stats)

    params, stats = restored(network.params, network.stats, images)
    return network._replace(
        params=jax.tree.map(np.asarray, params), stats=jax.tree.map(np.asarray, stats)
    )


def _at(module: nnx.Module, path: Sequence[object]) -> nnx.Module:
    """The module of a network at a path."""
    for name in path:
        module = getattr(module, str(name))
    return module


def _ending(arrays: Mapping[str, object], suffix: str) -> list[str]:
    return [name for name in arrays if name.endswith(suffix)]
