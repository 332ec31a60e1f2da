"""Style views: images that keep what they show and take the look of another domain."""

import abc
import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from jaxclr.errors import InputError
from jaxclr.models.adain import checked, restyle
from jaxclr.models.weights import read_arrays


def partners(domain: Int[Array, " b"], key: PRNGKeyArray) -> Int[Array, " b"]:
    """Draws, for every example, one of the batch's examples of other domains.

    Args:
        domain: Of each example, in any order.
        key: For the draws.

    Returns:
        Indices into the batch; all examples of other domains are equally likely. Where there are
        none, all other examples are; an example that is alone is its own partner.
    """
    b = len(domain)
    other = domain[:, None] != domain[None, :]
    eligible = jnp.where(other.any(), other, ~jnp.eye(b, dtype=bool))
    count = eligible.sum(1)
    rank = jax.random.randint(key, (b,), 0, jnp.maximum(count, 1))
    return (jnp.cumsum(eligible, 1) > rank[:, None]).argmax(1)


def fourier_style(
    images: Float[Array, "b h w 3"],
    partner: Int[Array, " #b"],
    *,
    ratio: Float[Array, "#b"] | Float[Array, ""] | float,
) -> Float[Array, "b h w 3"]:
    r"""Gives every image the low-frequency amplitudes of its partner, and keeps its phases.

    .. math::
        \hat x = \mathcal{F}^{-1}\big((M A(y) + (1 - M) A(x)) \, e^{i \phi(x)}\big), \qquad
        M = \big[\,|u| \le \sqrt r \, h / 2 \;\wedge\; |v| \le \sqrt r \, w / 2\,\big]

    with amplitude :math:`A`, phase :math:`\phi`, and frequencies :math:`u, v` in whole periods per
    image, channel by channel: the square about zero frequency that is :math:`r` of the spectrum.

    Args:
        images: RGB in [0, 1], before normalisation.
        partner: Which image of the batch lends its amplitudes :math:`A(y)` to each, or to all.
        ratio: :math:`r` in [0, 1], for each image or for all; may be traced. At 0 only the mean
            color is taken, at 1 all amplitudes are.

    Returns:
        RGB, clipped to [0, 1].

    References:
        Scalbert, Vakalopoulou, Couzinié-Devy, `Towards domain-invariant Self-Supervised Learning
        with Batch Styles Standardization <https://arxiv.org/abs/2303.06088>`_, 2023, where the
        partner is one image for the whole batch; :math:`r` is their ratio of areas. Which
        frequencies lie on the square's edge is our choice.
    """
    _, h, w, _ = images.shape
    side = jnp.broadcast_to(jnp.sqrt(jnp.asarray(ratio, jnp.float32)), (len(images),))
    rows = jnp.abs(jnp.fft.fftfreq(h)) <= side[:, None] / 2
    columns = jnp.fft.rfftfreq(w) <= side[:, None] / 2
    low = rows[:, :, None, None] & columns[:, None, :, None]
    spectrum = jnp.fft.rfft2(images, axes=(1, 2))
    amplitude = jnp.abs(spectrum)
    amplitude = jnp.where(low, amplitude[partner], amplitude)
    styled = amplitude * jnp.exp(1j * jnp.angle(spectrum))
    return jnp.clip(jnp.fft.irfft2(styled, s=(h, w), axes=(1, 2)), 0, 1)


@dataclasses.dataclass(frozen=True)
class Style(abc.ABC):
    """Settings of what makes style views."""

    @abc.abstractmethod
    def load(self) -> PyTree:
        """Reads what is frozen in it, to be handed to every call; an empty tuple: nothing is."""

    @abc.abstractmethod
    def __call__(
        self,
        arrays: PyTree,
        images: Float[Array, "b h w 3"],
        domain: Int[Array, " b"],
        key: PRNGKeyArray,
    ) -> Float[Array, "b h w 3"]:
        """Images in the look of other domains; a pure function.

        Args:
            arrays: What :meth:`load` gave.
            images: RGB in [0, 1], before normalisation.
            domain: Of each image.
            key: For draws; fixes them.

        Returns:
            RGB in [0, 1].
        """


@dataclasses.dataclass(frozen=True)
class NoStyle(Style):
    """Leaves images as they are."""

    def load(self) -> tuple[()]:
        """Nothing."""
        return ()

    def __call__(
        self,
        arrays: PyTree,
        images: Float[Array, "b h w 3"],
        domain: Int[Array, " b"],
        key: PRNGKeyArray,
    ) -> Float[Array, "b h w 3"]:
        """The images given."""
        return images


@dataclasses.dataclass(frozen=True)
class FourierStyle(Style):
    """Takes low-frequency amplitudes from a random image of another domain; nothing is trained.

    References:
        Scalbert, Vakalopoulou, Couzinié-Devy, `Towards domain-invariant Self-Supervised Learning
        with Batch Styles Standardization <https://arxiv.org/abs/2303.06088>`_, 2023. A partner and
        a ratio for every image, and the ratio's bounds, are ours.
    """

    ratio_low: float = 0.0
    """Least part of the spectrum to be taken, by area, in [0, 1]; drawn for each image."""
    ratio_high: float = 0.2
    """Largest part, up to 1; more than the default shows the partner's texture."""

    def __post_init__(self) -> None:
        _check_ratios(self.ratio_low, self.ratio_high)

    def load(self) -> tuple[()]:
        """Nothing."""
        return ()

    def __call__(
        self,
        arrays: PyTree,
        images: Float[Array, "b h w 3"],
        domain: Int[Array, " b"],
        key: PRNGKeyArray,
    ) -> Float[Array, "b h w 3"]:
        """Images with the low-frequency amplitudes of others."""
        whom, how_much = jax.random.split(key)
        ratio = jax.random.uniform(
            how_much, (len(images),), minval=self.ratio_low, maxval=self.ratio_high
        )
        return fourier_style(images, partners(domain, whom), ratio=ratio)


@dataclasses.dataclass(frozen=True)
class BatchStyle:
    """Gives all views of a batch the low-frequency amplitudes of one of them, drawn at random.

    What then differs between them is less the style and more what they show. A step's strong and
    second strong views get an image, a ratio and a decision each, the same for all domains.

    Raises:
        InputError: A number is not in [0, 1], or the low ratio is above the high one.

    References:
        Scalbert, Vakalopoulou, Couzinié-Devy, `Towards domain-invariant Self-Supervised Learning
        with Batch Styles Standardization <https://arxiv.org/abs/2303.06088>`_, 2023. The ratio's
        bounds are ours.
    """

    probability: float = 0.0
    """Of it being done, in [0, 1]; 0: never, 1: in every batch."""
    ratio_low: float = 0.0
    """Least part of the spectrum to be taken, by area, in [0, 1]; drawn uniformly."""
    ratio_high: float = 0.2
    """Largest part, up to 1; more than the default shows the image's texture."""

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError(f"probability is {self.probability}; it must be in [0, 1].")
        _check_ratios(self.ratio_low, self.ratio_high)

    def __call__(
        self, images: Float[Array, "b h w 3"], key: PRNGKeyArray
    ) -> Float[Array, "b h w 3"]:
        """Images in the style of one of them, or, by chance, as they are; a pure function.

        Args:
            images: RGB in [0, 1], before normalisation.
            key: For the draws; fixes them.

        Returns:
            RGB in [0, 1].
        """
        whether, which, how_much = jax.random.split(key, 3)
        ratio = jax.random.uniform(how_much, minval=self.ratio_low, maxval=self.ratio_high)
        one = jax.random.randint(which, (1,), 0, len(images))
        styled = fourier_style(images, one, ratio=ratio)
        return jnp.where(jax.random.bernoulli(whether, self.probability), styled, images)


def _check_ratios(low: float, high: float) -> None:
    """Refuses what are no parts of a spectrum, from and to."""
    if not 0 <= low <= high <= 1:
        raise InputError(
            f"ratio_low is {low} and ratio_high {high}; they must be in [0, 1], the low one not "
            "above the high one."
        )


@dataclasses.dataclass(frozen=True)
class AdaIn(Style):
    """Transfers the style of a random image of another domain by AdaIN's networks.

    References:
        Huang, Belongie, `Arbitrary Style Transfer in Real-time with Adaptive Instance
        Normalization <https://arxiv.org/abs/1703.06868>`_, 2017; for semi-supervised domain
        generalization Zhou, Loy, Liu, `StyleMatch <https://arxiv.org/abs/2106.00592>`_, 2021,
        whose code has ``alpha`` 0.5, one other domain for all images of a domain, and no clipping.
    """

    encoder: str
    """File of the VGG's weights, ``vgg_normalised`` as .pth, .safetensors or .npz."""
    decoder: str
    """File of the decoder's weights."""
    alpha: float = 1.0
    """Share of the style in [0, 1]; 0 only sends images through the networks."""

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}; it must be in [0, 1].")

    def load(self) -> PyTree:
        """The arrays of both networks."""
        return checked(read_arrays(self.encoder), read_arrays(self.decoder))

    def __call__(
        self,
        arrays: PyTree,
        images: Float[Array, "b h w 3"],
        domain: Int[Array, " b"],
        key: PRNGKeyArray,
    ) -> Float[Array, "b h w 3"]:
        """Images in the style of others."""
        encoder, decoder = arrays
        return restyle(encoder, decoder, images, partners(domain, key), alpha=self.alpha)
