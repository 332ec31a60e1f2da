"""A network: a backbone and a head, and the pure function that a train step calls."""

import abc
import dataclasses
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, PyTree

from jaxclr.models.chunks import by_chunks
from jaxclr.models.heads import Classifier, Key, Linear, NoProjector, Projector
from jaxclr.models.weights import Naming
from jaxclr.types import Prediction

Norm = Literal["domain", "pooled"]
"""Batch-norm statistics of each domain by itself (the protocol's), or of all together."""
SPREADS = {"prototypes": 1.0, "mu": 0.01, "cls_token": 0.02, "pos_embed": 0.02}
"""Deviations of what starts Gaussian around zero."""


class Network(nnx.Module):
    """Images to features by a backbone, and to logits and embeddings by what follows it."""

    def __init__(
        self, backbone: nnx.Module, width: int, num_classes: int, model: "Model", dtype: Any
    ):
        self.backbone = backbone
        self.projector, embedding = model.projector.module(width, dtype)
        self.predictor, _ = model.predictor.module(embedding, dtype)
        self.head = model.classifier.module(width, embedding, num_classes, dtype)
        self.norm, self.width = model.norm, width

    def __call__(
        self, images: Float[Array, "b h w 3"], *,
        groups: int, train: bool, key: Key = None, guess: bool = False,
        nudge: Float[Array, "b d"] | None = None, chunks: int = 1,
    ) -> Prediction:  # fmt: skip
        """Predicts; ``groups`` domains vary fastest along ``b``."""
        how = {"groups": groups if self.norm == "domain" else 1, "train": train}
        if train and chunks > 1:
            features = by_chunks(self.backbone, images, groups=how["groups"], chunks=chunks)
        else:
            features = self.backbone(images, **how)
        if nudge is not None:
            features = features + nudge.astype(features.dtype)
        embedding = features
        if self.projector is not None:
            embedding = self.projector(features, **how)
        predicted = None if self.predictor is None else self.predictor(embedding, **how)
        logits, samples = self.head(features, embedding, key=key, guess=guess)
        return Prediction(logits, features, embedding, predicted, samples)


class PureNetwork(NamedTuple):
    """A network as a function of arrays: what it is made of, and what it is made from."""

    graph: nnx.GraphDef
    params: PyTree
    """Trainable arrays: ``{"backbone": ..., "head": ...}``, and ``projector`` and ``predictor``
    where there are any."""
    stats: PyTree
    """Running statistics."""
    width: int
    """Of the features."""

    def __call__(
        self, params: PyTree, stats: PyTree, images: Float[Array, "b h w 3"], *,
        groups: int, train: bool, key: Key = None, guess: bool = False,
        nudge: Float[Array, "b d"] | None = None, chunks: int = 1,
    ) -> tuple[Prediction, PyTree]:  # fmt: skip
        """Predicts with the arrays given; returns the running statistics after it.

        Args:
            params: Laid out as this network's.
            stats: Laid out as this network's.
            images: Normalised; ``groups`` domains vary fastest.
            groups: How many domains.
            train: Whether batch norm uses, and records, the statistics of the batch.
            key: For what is stochastic in the classifier; None: it is deterministic.
            guess: Whether a pseudo-label is made of it: ``key`` then gives samples alone.
            nudge: Added to the features; a gradient in it is one in them.
            chunks: Into how many parts the backbone's work is cut, in training; see
                :func:`~jaxclr.models.chunks.by_chunks`.
        """
        # NumPy's, such as the first ones, would be written to in place.
        model = nnx.merge(self.graph, *jax.tree.map(jnp.asarray, (params, stats)))
        prediction = model(
            images, groups=groups, train=train, key=key, guess=guess, nudge=nudge, chunks=chunks
        )
        _, _, stats = nnx.split(model, nnx.Param, ...)
        return prediction, nnx.to_pure_dict(stats)


@dataclasses.dataclass(frozen=True)
class Model(abc.ABC):
    """Settings of a network: a backbone, and what follows it."""

    norm: Norm = dataclasses.field(default="domain", kw_only=True)
    """Whose statistics normalise: each domain's own (the protocol's), or the whole batch's."""
    classifier: Classifier = dataclasses.field(default_factory=Linear, kw_only=True)
    """From features, or the embedding, to logits."""
    projector: Projector = dataclasses.field(default_factory=NoProjector, kw_only=True)
    """From features to the embedding."""
    predictor: Projector = dataclasses.field(default_factory=NoProjector, kw_only=True)
    """From the embedding to a guess of another view's, for BYOL and SimSiam."""
    weights: str | None = dataclasses.field(default=None, kw_only=True)
    """Where the backbone's first weights come from; none: they are drawn by the seed. A finished
    run's weights.npz, or, of a ResNet or Vit, a file in the names of torchvision or timm (.pth,
    .safetensors, .npz) or hf:<repository>, such as hf:timm/resnet18.tv_in1k. {target} and {seed}
    stand for the run's. The head's come with them where it has as many classes there."""
    allow_partial: bool = dataclasses.field(default=False, kw_only=True)
    """Whether weights of a file made elsewhere may lack some of the network's, or have others."""
    remat: bool = dataclasses.field(default=False, kw_only=True)
    """Whether what is inside of each block is computed again on the way back instead of kept: less
    memory, and about a third more time."""

    naming: ClassVar[Naming | None] = None
    """How files made elsewhere name the weights; None where there are no such files."""

    @abc.abstractmethod
    def layers(self, dtype: Any) -> tuple[nnx.Module, int]:
        """The backbone's flax module and its features' width; initial values do not matter."""

    @property
    def any_size(self) -> bool:
        """Whether images of any size have equally many features."""
        return True

    def module(self, num_classes: int, dtype: Any) -> Network:
        """The whole network's flax module."""
        backbone, width = self.layers(dtype)
        return Network(backbone, width, num_classes, self, dtype)

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
            abstract.width,
        )


def _initial(name: str, leaf: jax.ShapeDtypeStruct, draw: np.random.Generator) -> np.ndarray:
    """Values as torchvision's networks start, drawn without compiling anything."""
    if name in ("scale", "var"):
        return np.ones(leaf.shape, np.float32)
    if name in SPREADS:
        return (SPREADS[name] * draw.standard_normal(leaf.shape)).astype(np.float32)
    if name != "kernel":
        return np.zeros(leaf.shape, np.float32)
    if len(leaf.shape) == 4:  # He et al. 2015, by fan-out
        spread = np.sqrt(2 / (leaf.shape[0] * leaf.shape[1] * leaf.shape[3]))
        return (spread * draw.standard_normal(leaf.shape)).astype(np.float32)
    bound = 1 / np.sqrt(leaf.shape[0])
    return draw.uniform(-bound, bound, leaf.shape).astype(np.float32)
