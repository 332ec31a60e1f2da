"""The passes of a step over the views of a batch, and what the losses see of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Shaped, UInt8

from jaxclr.methods.method import needed
from jaxclr.models.network import PureNetwork
from jaxclr.training.rows import join
from jaxclr.training.state import Frozen, Setting, TrainState
from jaxclr.training.views import device_views
from jaxclr.types import Batch, Evidence, Mixture, Outputs, Prediction, Tensor

Purpose = Literal[
    "weak", "labeled", "strong", "second", "look", "style", "labeler", "terms", "learned",
    "views", "mixing", "batch_style", "crops",
]  # fmt: skip
PURPOSES: tuple[Purpose, ...] = (
    "weak", "labeled", "strong", "second", "look", "style", "labeler", "terms", "learned",
    "views", "mixing", "batch_style", "crops",
)  # fmt: skip
"""Keys go by the place in here: what is added is added at the end."""

Nudges = Mapping[str, Float[Array, "b d"]]

Strong = Literal["strong", "second"]
STRONG: tuple[Strong, ...] = ("strong", "second")


class Passes:
    """Runs the network over one batch, pass by pass.

    Each pass normalises by, and records, its own statistics: ``stats`` is what they are after the
    passes made so far. What is among ``nudges`` is added to the features of the pass of its name.
    A batch of plain squares is first made into views.
    """

    def __init__(
        self, setting: Setting, state: TrainState, batch: Batch, nudges: Nudges | None = None
    ):
        self.setting, self.state, self.stats = setting, state, state.stats
        self.nudges, self.batch = nudges or {}, batch
        if setting.augment is not None:
            self.batch = device_views(
                setting.augment, batch, self.key("views"), setting.num_domains,
                second="second" in setting.method.reads,
            )  # fmt: skip

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

    def view(self, field: Strong) -> Shaped[Array, "b h w 3"]:
        """Strong views of all images, in the style of one of them where the method says so."""
        images, style = self.joined(field), self.setting.method.batch_style
        if not style.probability:
            return images
        return style(
            as_fractions(images), jax.random.fold_in(self.key("batch_style"), STRONG.index(field))
        )

    def learn(
        self, params: PyTree, images: Shaped[Tensor, "b h w 3"], purpose: Purpose
    ) -> Prediction:
        """A pass with gradient; classifiers that draw, draw."""
        return self._run(params, images, purpose, guess=False)

    def labeled(self, params: PyTree) -> tuple[Prediction, Mixture | None]:
        """A pass with gradient over labeled weak views, mixed where the method says so."""
        views, mixing = self.batch.labeled, self.setting.method.mixing
        if not mixing.mixes:
            return self.learn(params, views.weak, "labeled"), None
        label = jnp.asarray(views.label)
        images, mixture = mixing(
            as_fractions(views.weak), label, self.setting.num_domains, self.key("mixing")
        )
        return self.learn(params, images, "labeled"), mixture

    def crops(self, params: PyTree) -> tuple[Prediction, ...]:
        """One pass with gradient over all small windows; what it says of the first ones, and on."""
        labeled, unlabeled = (needed(views.crops, "small windows") for views in self.batch)
        n, count = self.setting.num_domains, labeled.shape[1]
        images = join(labeled, unlabeled, n)
        # Rows stay together, and so on their devices; within a row domains vary fastest.
        rows = images.reshape(-1, n, *images.shape[1:]).swapaxes(1, 2)
        every = self.learn(params, rows.reshape(-1, *images.shape[2:]), "crops")

        def of(window: int) -> Prediction:
            return jax.tree.map(
                lambda x: x.reshape(-1, count, n, x.shape[-1])[:, window].reshape(-1, x.shape[-1]),
                every,
            )

        return tuple(of(window) for window in range(count))

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
            nudge=self.nudges.get(purpose), chunks=self.setting.chunks,
        )  # fmt: skip
        return prediction

    def averaged(self) -> tuple[Prediction, Prediction]:
        """What the averaged weights say of both strong views."""
        return self._by_average(self.view("strong")), self._by_average(self.view("second"))

    def taught(self) -> Prediction:
        """What the averaged weights say of all weak views."""
        return self._by_average(self.joined("weak"))

    def encoded(
        self, encoder: PureNetwork, frozen: Frozen, fields: Sequence[Strong]
    ) -> tuple[Float[Array, "b p"], ...]:
        """Features of some views by the frozen encoder, in float32."""
        params, stats = frozen.prior
        seen = [
            self._beside(encoder, params, stats, self.view(field), train=False) for field in fields
        ]
        return tuple(prediction.features.astype(jnp.float32) for prediction in seen)

    def _by_average(self, images: Shaped[Array, "b h w 3"]) -> Prediction:
        ema = self.setting.gathered(self.state.ema)
        return self._beside(self.setting.network, ema, self.state.stats, images, train=True)

    def _beside(
        self, network: PureNetwork, params: PyTree, stats: PyTree,
        images: Shaped[Array, "b h w 3"], *, train: bool,
    ) -> Prediction:  # fmt: skip
        """What another network says of a view, without gradient and recording nothing."""
        params, stats = jax.lax.stop_gradient((params, stats))
        pixels, groups = self.pixels(images), self.setting.num_domains
        chunks = self.setting.chunks if train else 1
        prediction, _ = network(params, stats, pixels, groups=groups, train=train, chunks=chunks)
        return prediction


def forward(
    setting: Setting, params: PyTree, state: TrainState, batch: Batch, frozen: Frozen,
    nudges: Nudges | None = None,
) -> tuple[PyTree, PyTree, Outputs]:  # fmt: skip
    """The passes that the method's terms read, in the order of the protocol.

    All weak views give pseudo-labels, without gradient; then the labeled weak views alone; then
    all strong views, second strong views, weak views with gradient, restyled weak views, and small
    windows; at last those by averaged weights. The labeler may then remember what it saw of them.

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
    n, method, run = (
        setting.num_domains,
        setting.method,
        Passes(setting, state, batch, nudges),
    )
    labeled, unlabeled = run.batch
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
        seen["labeled"], seen["mixture"] = run.labeled(params)
    strong: list[Strong] = [field for field in STRONG if field in method.reads]
    for field in strong:
        seen[field] = run.learn(params, run.view(field), field)
    if "learned" in method.reads:
        seen["learned"] = run.learn(params, run.joined("weak"), "learned")
    if "style" in method.reads:
        look = method.style(frozen.style, as_fractions(run.joined("weak")), domain, run.key("look"))
        seen["style"] = run.learn(params, look, "style")
    if "crops" in method.reads:
        seen["crops"] = run.crops(params)
    if "average" in method.reads:
        seen["average"] = run.averaged()
    if "teacher" in method.reads:
        seen["teacher"] = run.taught()
    if setting.prior is not None and frozen.prior:
        seen["prior"] = run.encoded(setting.prior, frozen, strong)
    outputs = Outputs(
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
    )
    memory = method.labeler.remember(memory, outputs)
    return run.stats, memory, outputs._replace(memory=memory)


def no_nudges(setting: Setting, batch: Batch) -> Nudges:
    """Zeros to be added to the features of every pass with gradient that the method reads."""
    labeled, every = (len(batch.labeled.label), sum(len(views.label) for views in batch))
    crops = batch.labeled.crops
    counts = {"labeled": labeled, "crops": 0 if crops is None else every * crops.shape[1]}
    return {
        name: jnp.zeros((counts.get(name, every), setting.network.width))
        for name in PURPOSES
        if name in setting.method.reads
    }


def as_fractions(images: UInt8[Tensor, "b h w 3"]) -> Float[Array, "b h w 3"]:
    """From bytes to numbers in [0, 1]."""
    return jnp.asarray(images, jnp.float32) / 255


def normalise(
    images: Shaped[Tensor, "b h w 3"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Array, "b h w 3"]:
    """From bytes, or numbers in [0, 1], to numbers around zero."""
    scale = 255 if images.dtype == jnp.uint8 else 1
    return (jnp.asarray(images, jnp.float32) / scale - jnp.array(mean)) / jnp.array(std)
