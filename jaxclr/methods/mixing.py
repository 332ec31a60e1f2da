"""Mixing: labeled images are blended in pairs, and learned from by both labels."""

import abc
import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxclr.errors import InputError
from jaxclr.types import Mixture


def companions(count: int, num_domains: int, key: PRNGKeyArray) -> Int[Array, " l"]:
    """Draws, for every labeled image, another of its own domain to be mixed with.

    Batch norm is of each domain; so is the mixing. The images of a domain are shuffled, so that
    each lends itself once; as in the papers' code, one may meet itself.

    Args:
        count: Of the images, domains fastest; a multiple of ``num_domains``.
        num_domains: ``n``, at least 1.
        key: For the draws.

    Returns:
        Indices into the images: a permutation.
    """
    keys, rows = jax.random.split(key, num_domains), jnp.arange(count // num_domains)
    shuffled = jax.vmap(lambda key: jax.random.permutation(key, rows), out_axes=1)(keys)
    return (shuffled * num_domains + jnp.arange(num_domains)).reshape(-1)


@dataclasses.dataclass(frozen=True)
class Mixing(abc.ABC):
    """Settings of how labeled images are mixed."""

    mixes: ClassVar[bool] = True
    """Whether anything is mixed at all."""

    @abc.abstractmethod
    def __call__(
        self,
        images: Float[Array, "l h w 3"],
        label: Int[Array, " l"],
        num_domains: int,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, "l h w 3"], Mixture]:
        """Mixes images with others of their domains; a pure function.

        Args:
            images: RGB in [0, 1], domains fastest.
            label: Of each image.
            num_domains: How many domains vary fastest.
            key: For draws; fixes them.

        Returns:
            RGB in [0, 1], and what is in it: the other label, and how much is of the own image.
        """


@dataclasses.dataclass(frozen=True)
class NoMixing(Mixing):
    """Leaves images as they are."""

    mixes = False

    def __call__(
        self,
        images: Float[Array, "l h w 3"],
        label: Int[Array, " l"],
        num_domains: int,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, "l h w 3"], Mixture]:
        """The images given, all their own."""
        return images, Mixture(label, jnp.ones(len(images)))


@dataclasses.dataclass(frozen=True)
class Paired(Mixing, abc.ABC):
    """Mixes pairs by shares that are Beta distributed.

    Raises:
        InputError: ``alpha`` is not above 0.
    """

    alpha: float = 1.0
    """Both parameters of the Beta distribution of the shares, above 0: near 0 hardly anything is
    mixed, at 1 all shares are equally likely, and far above it all are near a half."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < float("inf"):
            raise InputError(f"alpha is {self.alpha}; it must be above 0.")

    @abc.abstractmethod
    def blend(
        self,
        own: Float[Array, "l h w 3"],
        other: Float[Array, "l h w 3"],
        share: Float[Array, " l"],
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, "l h w 3"], Float[Array, " l"]]:
        """Mixes pairs of images.

        Args:
            own: The images.
            other: Their companions.
            share: How much of the own image is wanted, in [0, 1].
            key: For further draws.

        Returns:
            The mixed images, and how much of the own image is in each.
        """

    def __call__(
        self,
        images: Float[Array, "l h w 3"],
        label: Int[Array, " l"],
        num_domains: int,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, "l h w 3"], Mixture]:
        """Mixed images; a companion and a share for each."""
        whom, how_much, where = jax.random.split(key, 3)
        companion = companions(len(images), num_domains, whom)
        share = jax.random.beta(how_much, self.alpha, self.alpha, (len(images),))
        mixed, share = self.blend(images, images[companion], share, where)
        return mixed, Mixture(label[companion], share)


@dataclasses.dataclass(frozen=True)
class MixUp(Paired):
    r"""Shows both images at once, the own one by its share.

    .. math::
        \tilde x = \lambda x + (1 - \lambda) x', \qquad \lambda \sim \mathrm{Beta}(\alpha, \alpha)

    References:
        Zhang, Cisse, Dauphin, Lopez-Paz, `mixup: Beyond Empirical Risk Minimization
        <https://arxiv.org/abs/1710.09412>`_, 2018, eq. 1, with 0.1 to 0.4 for large images and 1
        for CIFAR. A share for each pair is the paper's, where its code draws one for the batch;
        that the companion is of the same domain is ours.
    """

    alpha: float = 0.2
    """Both parameters of the Beta distribution of the shares, above 0: near 0 hardly anything is
    mixed, at 1 all shares are equally likely, and far above it all are near a half."""

    def blend(
        self,
        own: Float[Array, "l h w 3"],
        other: Float[Array, "l h w 3"],
        share: Float[Array, " l"],
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, "l h w 3"], Float[Array, " l"]]:
        """The weighted mean of the pixels, and the share as it is."""
        weight = share[:, None, None, None]
        return weight * own + (1 - weight) * other, share


@dataclasses.dataclass(frozen=True)
class CutMix(Paired):
    r"""Shows a box of the other image in the own one.

    The box has the image's proportions and :math:`1 - \lambda` of its area, with
    :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` and sides in whole pixels, rounded down; its
    centre is uniform over the pixels, and what lies past the border is lost. The labels' share is
    of the pixels that are shown in the end.

    References:
        Yun et al., `CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
        Features <https://arxiv.org/abs/1905.04899>`_, 2019, eq. 1 and 2. A box for each pair,
        where their code draws one for the batch, and that the companion is of the same domain, are
        ours.
    """

    def blend(
        self,
        own: Float[Array, "l h w 3"],
        other: Float[Array, "l h w 3"],
        share: Float[Array, " l"],
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, "l h w 3"], Float[Array, " l"]]:
        """The own image around the box, and the share of its pixels."""
        side = jnp.sqrt(1 - share)
        inside = [
            _interval(side, length, key)
            for length, key in zip(own.shape[1:3], jax.random.split(key), strict=True)
        ]
        box = inside[0][:, :, None] & inside[1][:, None, :]
        return jnp.where(box[..., None], other, own), 1 - box.mean((1, 2), dtype=jnp.float32)


def _interval(side: Float[Array, " l"], length: int, key: PRNGKeyArray) -> Array:
    """Which of ``length`` pixels in a line lie in the box of each image."""
    long = jnp.floor(length * side).astype(jnp.int32)
    start = jax.random.randint(key, side.shape, 0, length) - long // 2
    place = jnp.arange(length)
    return (place >= start[:, None]) & (place < (start + long)[:, None])
