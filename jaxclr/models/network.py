"""A network: a backbone and a head, and the pure function that a train step calls."""

import abc
import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, PyTree

from jaxclr.types import Prediction

Norm = Literal["domain", "pooled"]
"""Batch-norm statistics of each domain by itself (the protocol's), or of all together."""


class Network(nnx.Module):
    """Images to features by a backbone, features to logits by a linear head."""

    def __init__(self, backbone: nnx.Module, width: int, num_classes: int, norm: str, dtype: Any):
        self.backbone = backbone
        self.head = nnx.Linear(width, num_classes, dtype=dtype, rngs=nnx.Rngs(0))
        self.norm = norm

    def __call__(self, images: Float[Array, "b h w 3"], *, groups: int, train: bool) -> Prediction:
        """Predicts; ``groups`` domains vary fastest along ``b``."""
        groups = groups if self.norm == "domain" else 1
        features = self.backbone(images, groups=groups, train=train)
        return Prediction(self.head(features), features, features)


class PureNetwork(NamedTuple):
    """A network as a function of arrays: what it is made of, and what it is made from."""

    graph: nnx.GraphDef
    params: PyTree
    """Trainable arrays: ``{"backbone": ..., "head": ...}``."""
    stats: PyTree
    """Running statistics."""

    def __call__(
        self,
        params: PyTree,
        stats: PyTree,
        images: Float[Array, "b h w 3"],
        *,
        groups: int,
        train: bool,
    ) -> tuple[Prediction, PyTree]:
        """Predicts with the arrays given; returns the running statistics after it."""
        # NumPy's, such as the first ones, would be written to in place.
        model = nnx.merge(self.graph, params, jax.tree.map(jnp.asarray, stats))
        prediction = model(images, groups=groups, train=train)
        _, _, stats = nnx.split(model, nnx.Param, ...)
        return prediction, nnx.to_pure_dict(stats)


@dataclasses.dataclass(frozen=True)
class Model(abc.ABC):
    """Settings of a network."""

    @abc.abstractmethod
    def module(self, num_classes: int, dtype: Any) -> Network:
        """The network's flax module; its initial values do not matter."""

    def build(self, num_classes: int, *, seed: int, dtype: Any = jnp.float32) -> PureNetwork:
        """The network with initial weights.

        Args:
            num_classes: ``k`` of its logits.
            seed: Fixes the initial weights on every machine.
            dtype: Type computed in; weights and statistics are float32.
        """
        abstract = nnx.eval_shape(lambda: self.module(num_classes, dtype))
        graph, params, stats = nnx.split(abstract, nnx.Param, ...)
        draw = np.random.Generator(np.random.Philox(key=[seed, 0]))
        return PureNetwork(
            graph,
            jax.tree_util.tree_map_with_path(
                lambda path, leaf: _initial(path[-1].key, leaf, draw), nnx.to_pure_dict(params)
            ),
            jax.tree_util.tree_map_with_path(
                lambda path, leaf: _initial(path[-1].key, leaf, draw), nnx.to_pure_dict(stats)
            ),
        )


def _initial(name: str, leaf: jax.ShapeDtypeStruct, draw: np.random.Generator) -> np.ndarray:
    """Values as torchvision's networks start, drawn without compiling anything."""
    if name in ("scale", "var"):
        return np.ones(leaf.shape, np.float32)
    if name != "kernel":
        return np.zeros(leaf.shape, np.float32)
    if len(leaf.shape) == 4:  # He et al. 2015, by fan-out
        spread = np.sqrt(2 / (leaf.shape[0] * leaf.shape[1] * leaf.shape[3]))
        return (spread * draw.standard_normal(leaf.shape)).astype(np.float32)
    bound = 1 / np.sqrt(leaf.shape[0])
    return draw.uniform(-bound, bound, leaf.shape).astype(np.float32)
