"""The passes of a step over the views of a batch, and what the losses see of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Shaped, UInt8

from jaxclr.models.network import PureNetwork
from jaxclr.training.state import Frozen, Setting, TrainState
from jaxclr.types import Batch, Evidence, Outputs, Prediction, Tensor

Purpose = Literal[
    "weak", "labeled", "strong", "second", "look", "style", "labeler", "terms", "learned"
]
PURPOSES: tuple[Purpose, ...] = (
    "weak", "labeled", "strong", "second", "look", "style", "labeler", "terms", "learned",
)  # fmt: skip

Nudges = Mapping[str, Float[Array, "b d"]]

Strong = Literal["strong", "second"]
STRONG: tuple[Strong, ...] = ("strong", "second")


class Passes:
    """Runs the network over one batch, pass by pass.

    Each pass normalises by, and records, its own statistics: ``stats`` is what they are after the
    passes made so far. What is among ``nudges`` is added to the features of the pass of its name.
    """

    def __init__(
        self, setting: Setting, state: TrainState, batch: Batch, nudges: Nudges | None = None
    ):
        self.setting, self.state, self.batch, self.stats = setting, state, batch, state.stats
        self.nudges = nudges or {}

    def key(self, purpose: Purpose) -> PRNGKeyArray:
        """The key of one kind of draw in this step: of where we are, not of how we got here."""
        run = jax.random.key(self.state.seed)
        return jax.random.fold_in(jax.random.fold_in(run, self.state.step), PURPOSES.index(purpose))

    def pixels(self, images: Shaped[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
        """Bytes, or numbers in [0, 1], as the network takes them."""
        return normalise(images, self.setting.mean, self.setting.std).astype(self.setting.dtype)

    def joined(self, field: str) -> UInt8[Array, "b h w 3"]:
        """A view of labeled and unlabeled images."""
        labeled, unlabeled = (getattr(views, field) for views in self.batch)
        return join(labeled, unlabeled, self.setting.num_domains)

    def learn(
        self, params: PyTree, images: Shaped[Tensor, "b h w 3"], purpose: Purpose
    ) -> Prediction:
        """A pass with gradient; classifiers that draw, draw."""
        return self._run(params, images, purpose, guess=False)

    def guess(self, params: PyTree) -> Prediction:
        """A pass over all weak views, without gradient."""
        frozen = jax.lax.stop_gradient(params)
        return self._run(frozen, self.joined("weak"), "weak", guess=True)

    def _run(
        self, params: PyTree, images: Shaped[Tensor, "b h w 3"], purpose: Purpose, *, guess: bool
    ) -> Prediction:
        prediction, self.stats = self.setting.network(
            params, self.stats, self.pixels(jnp.asarray(images)),
            groups=self.setting.num_domains, train=True, key=self.key(purpose), guess=guess,
            nudge=self.nudges.get(purpose),
        )  # fmt: skip
        return prediction

    def averaged(self) -> tuple[Prediction, Prediction]:
        """What the averaged weights say of both strong views."""
        network, state = self.setting.network, self.state
        return (
            self._beside(network, state.ema, state.stats, "strong", train=True),
            self._beside(network, state.ema, state.stats, "second", train=True),
        )

    def encoded(
        self, encoder: PureNetwork, frozen: Frozen, fields: Sequence[str]
    ) -> tuple[Float[Array, "b p"], ...]:
        """Features of some views by the frozen encoder, in float32."""
        params, stats = frozen.prior
        seen = [self._beside(encoder, params, stats, field, train=False) for field in fields]
        return tuple(prediction.features.astype(jnp.float32) for prediction in seen)

    def _beside(
        self, network: PureNetwork, params: PyTree, stats: PyTree, field: str, *, train: bool
    ) -> Prediction:
        """What another network says of a view, without gradient and recording nothing."""
        params, stats = jax.lax.stop_gradient((params, stats))
        pixels, groups = self.pixels(self.joined(field)), self.setting.num_domains
        prediction, _ = network(params, stats, pixels, groups=groups, train=train)
        return prediction


def forward(
    setting: Setting, params: PyTree, state: TrainState, batch: Batch, frozen: Frozen,
    nudges: Nudges | None = None,
) -> tuple[PyTree, PyTree, Outputs]:  # fmt: skip
    """The passes that the method's terms read, in the order of the protocol.

    All weak views give pseudo-labels, without gradient; then the labeled weak views alone; then
    all strong views, second strong views, weak views with gradient, and restyled weak views.

    Args:
        setting: What the step is made from.
        params: To pass through.
        state: All else that changes.
        batch: The images.
        frozen: What does not change.
        nudges: Added to the features of the passes they name, to take gradients in features.

    Returns:
        The running statistics, the labeler's memory, and what the terms may see.
    """
    labeled, unlabeled = batch
    n, method, run = (
        setting.num_domains,
        setting.method,
        Passes(setting, state, batch, nudges),
    )
    given = join(labeled.label, jnp.full_like(unlabeled.label, -1), n)
    domain = join(labeled.domain, unlabeled.domain, n)
    number = join(jnp.full_like(labeled.number, -1), unlabeled.number, n)
    progress = state.step / setting.steps
    seen: dict[str, Any] = dict.fromkeys(("labeled", "weak", "pseudo", "strong"))
    memory = state.memory
    if "pseudo" in method.reads:
        seen["weak"] = run.guess(params)
        evidence = Evidence(seen["weak"], given, domain, number, n, progress, run.key("labeler"))
        memory, seen["pseudo"] = method.labeler.label(memory, evidence)
    if "labeled" in method.reads:
        seen["labeled"] = run.learn(params, labeled.weak, "labeled")
    strong: list[Strong] = [field for field in STRONG if field in method.reads]
    for field in strong:
        seen[field] = run.learn(params, run.joined(field), field)
    if "learned" in method.reads:
        seen["learned"] = run.learn(params, run.joined("weak"), "learned")
    if "style" in method.reads:
        look = method.style(
            frozen.style, run.joined("weak").astype(jnp.float32) / 255, domain, run.key("look")
        )
        seen["style"] = run.learn(params, look, "style")
    if "average" in method.reads:
        seen["average"] = run.averaged()
    if setting.prior is not None and frozen.prior:
        seen["prior"] = run.encoded(setting.prior, frozen, strong)
    return run.stats, memory, Outputs(
        **seen,
        label=jnp.asarray(labeled.label),
        given=given,
        domain=domain,
        num_domains=n,
        progress=progress,
        key=run.key("terms"),
        prototypes=params["head"].get("prototypes"),
        memory=memory,
        bank=state.bank,
    )  # fmt: skip


def no_nudges(setting: Setting, batch: Batch) -> Nudges:
    """Zeros to be added to the features of every pass with gradient that the method reads."""
    labeled, every = (len(batch.labeled.label), sum(len(views.label) for views in batch))
    return {
        name: jnp.zeros((labeled if name == "labeled" else every, setting.network.width))
        for name in PURPOSES
        if name in setting.method.reads
    }


def join(
    labeled: Shaped[Tensor, "l ..."], unlabeled: Shaped[Tensor, "u ..."], num_domains: int
) -> Shaped[Array, "b ..."]:
    """Joins labeled and unlabeled examples row by row, so that each stays on its device.

    Concatenating end to end instead would move most of them to other devices.
    """
    rows, shape = len(labeled) // num_domains, labeled.shape[1:]
    parts = [part.reshape(rows, -1, *shape) for part in (labeled, unlabeled)]
    return jnp.concatenate(parts, axis=1).reshape(-1, *shape)


def normalise(
    images: Shaped[Tensor, "b h w 3"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Array, "b h w 3"]:
    """From bytes, or numbers in [0, 1], to numbers around zero."""
    scale = 255 if images.dtype == jnp.uint8 else 1
    return (jnp.asarray(images, jnp.float32) / scale - jnp.array(mean)) / jnp.array(std)
