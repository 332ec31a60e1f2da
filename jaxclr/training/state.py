"""What a step is made from, and what it changes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding
from jaxtyping import Array, Int, PyTree

from jaxclr.methods.method import Method
from jaxclr.models.network import PureNetwork
from jaxclr.pipeline.augment import Augment
from jaxclr.types import Sizes


class TrainState(NamedTuple):
    """All that changes in training, hence all that is saved."""

    step: Int[Array, ""]
    seed: Int[Array, ""]
    """Of the run; what is drawn in a step follows from it and from the step."""
    params: PyTree
    stats: PyTree
    """Running statistics of the batch norms."""
    opt_state: PyTree
    memory: PyTree
    """The labeler's."""
    bank: PyTree
    """The method's."""
    ema: PyTree
    """Exponential moving average of the parameters; an empty tuple where none is kept."""


class Frozen(NamedTuple):
    """Arrays that a step uses and never changes."""

    prior: tuple[PyTree, ...] = ()
    """Parameters and running statistics of the frozen encoder, if there is one."""
    style: PyTree = ()
    """What the method's style is made with."""


class Setting(NamedTuple):
    """What a step is made from, all of it fixed for a run."""

    network: PureNetwork
    method: Method
    optimizer: optax.GradientTransformation
    num_classes: int
    num_domains: int
    steps: int
    mean: tuple[float, float, float]
    """Of the pixels, in [0, 1]."""
    std: tuple[float, float, float]
    num_unlabeled: int = 0
    """Over all source domains; needed by labelers that remember every image."""
    ema_decay: float | None = None
    dtype: Any = jnp.float32
    """What the network computes in; parameters, statistics and losses are float32."""
    gradient_norms: bool = False
    """Whether the metrics hold the norm of each term's gradient in the features."""
    prior: PureNetwork | None = None
    """The frozen encoder."""
    augment: Augment | None = None
    """How the step makes views of plain squares; None where batches hold views already."""
    chunks: int = 1
    """Into how many parts the backbone's work of a pass is cut, so that it fits into memory."""
    whole: NamedSharding | None = None
    """Where parameters lie in the passes, if they are shared out between them; None: as given."""

    @property
    def sizes(self) -> Sizes:
        """The numbers that memories are shaped by."""
        return Sizes(self.num_classes, self.num_domains, self.num_unlabeled, self.network.width)

    def gathered(self, params: PyTree) -> PyTree:
        """Parameters as the passes take them: whole, so that images stay on their devices."""
        if self.whole is None:
            return params
        return jax.lax.with_sharding_constraint(params, self.whole)


def initial_state(setting: Setting, seed: int = 0) -> TrainState:
    """The state before the first step of a run of that seed."""
    params, method = setting.network.params, setting.method
    return TrainState(
        step=jax.device_put(np.int32(0)),
        seed=jax.device_put(np.asarray(seed, np.uint32)),
        params=params,
        stats=setting.network.stats,
        # One program, where there would be one for every shape of a parameter.
        opt_state=jax.jit(setting.optimizer.init)(params),
        memory=method.labeler.init(setting.sizes),
        bank=method.bank.init(setting.sizes),
        ema=() if setting.ema_decay is None else params,
    )
