r"""Contrast between views: two views of an image attract, those of other images repel.

Symbols: ``z`` unit embeddings, :math:`s_{ij} = z_i^\top z_j` their cosines, ``T`` the
temperature. Images are not classes: none of these losses is told a label.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num, Shaped

from jaxclr.losses.crowd import log_repulsion
from jaxclr.losses.reduce import unit


def negative_logsumexp(
    cosine: Num[Array, "b m"], pair_weight: Shaped[Array, "b m"], *, temperature: float
) -> Float[Array, " b"]:
    r"""How strongly each anchor is repelled by all that it is weighed against.

    .. math:: \log \sum_j w_{ij} \, e^{s_{ij} / T}

    The contrastive losses are choices of ``w`` (1 or 0 where written as a condition), less what
    attracts the anchor:

    - NT-Xent: ``j`` is not ``i``; SupCon and SSC likewise, their positives being the label's.
    - DCL: ``j`` is no view of the image of ``i``.
    - MV-DHEL: ``j`` is another image in the view of ``i``.
    - FixCLR's filter: ``j`` has another class than ``i``, :math:`y_j \ne y_i`.
    - Soft class masks: :math:`w_{ij} = 1 - p_i^\top p_j` of class probabilities; with one-hot
      ``p`` this is FixCLR's filter.

    Args:
        cosine: :math:`s_{ij}` of ``b`` anchors with ``m`` others; computed in float32.
        pair_weight: :math:`w_{ij}`, booleans or numbers that are not negative. Where it is zero
            (or too small for a normal float32), ``j`` is left out, whatever its cosine.
        temperature: ``T > 0``; small values attend to the nearest others only.

    Returns:
        One value per anchor in nats, of either sign. Where all weights are zero it is defined as
        0, with zero gradient: nothing repels, and nothing is infinite.
    """
    weight = pair_weight.astype(jnp.float32)
    kept = weight >= jnp.finfo(jnp.float32).tiny
    some = kept.any(-1)
    logits = cosine.astype(jnp.float32) / temperature + jnp.log(jnp.where(kept, weight, 1.0))
    # A row of nothing but -inf would have no gradient: it keeps all, and is dropped below.
    logits = jnp.where(kept | ~some[:, None], logits, -jnp.inf)
    return jnp.where(some, jax.nn.logsumexp(logits, axis=-1), 0.0)


def nt_xent(
    first: Num[Array, "b d"],
    second: Num[Array, "b d"],
    *,
    temperature: float = 0.5,
    decoupled: bool = False,
) -> Float[Array, " b"]:
    r"""Cross-entropy of finding an image's other view among all views of the batch.

    With the :math:`2b` views as anchors and :math:`i'` the other view of the image of ``i``,

    .. math::
        \ell_i = -\frac{s_{ii'}}{T} + \log \sum_{j \in N_i} e^{s_{ij} / T}, \qquad
        N_i = \{j : j \ne i\},

    and the loss of an image is the mean over its two anchors. ``decoupled`` leaves the positive
    out of the sum, :math:`N_i = \{j : j \ne i, j \ne i'\}`. That frees the gradient of the
    factor :math:`1 - p_i`, in which :math:`p_i = e^{s_{ii'} / T} / \sum_{j \ne i} e^{s_{ij} / T}`:
    it no longer fades once the positive is found.

    Args:
        first: One view of each image, of any float type; scaled to length one here. A zero row is
            at cosine 0 from all others, with a finite gradient.
        second: The other view of the same images, in the same order.
        temperature: ``T > 0``; small values attend to the nearest other images only.
        decoupled: Whether the positive stays out of the sum (DCL).

    Returns:
        One loss per image in nats. It is never negative but for rounding, and 0 for one image
        alone; decoupled it is of either sign, and for one image alone :math:`-s_{ii'} / T`.

    References:
        Chen et al., `SimCLR <https://arxiv.org/abs/2002.05709>`_, 2020, eq. 1. Yeh et al.,
        `Decoupled Contrastive Learning <https://arxiv.org/abs/2110.06848>`_, 2021, without the
        weighting of positives (DCLW).
    """
    views = unit(jnp.concatenate([first, second]))
    images = len(first)
    # Of whom an anchor tells itself apart: all that is not itself, or not its image.
    key = jnp.arange(2 * images) % images if decoupled else jnp.arange(2 * images)
    repulsion = log_repulsion(views, key, jnp.ones(2 * images), temperature=temperature)
    positive = (views[:images] * views[images:]).sum(-1)
    return repulsion.reshape(2, images).mean(0) - positive / temperature


def mv_dhel(
    first: Num[Array, "b d"], second: Num[Array, "b d"], *, temperature: float = 0.5
) -> Float[Array, " b"]:
    r"""Aligns two views of an image, and spreads the images apart within each view.

    With :math:`s^{v}` the cosines within view ``v`` and :math:`s_i` that of the two views of
    image ``i``,

    .. math::
        \ell_i = -\frac{s_i}{T} + \sum_{v = 1}^{2} \log \sum_{j \ne i} e^{s^{v}_{ij} / T}

    so that no pair of different images is compared across views: the energy of each view is
    decoupled from the alignment of positives.

    Args:
        first: One view of each image, of any float type; scaled to length one here. A zero row is
            at cosine 0 from all others, with a finite gradient.
        second: The other view of the same images, in the same order.
        temperature: ``T > 0``; small values attend to the nearest other images only.

    Returns:
        One loss per image in nats, of either sign; for one image alone :math:`-s_i / T`.

    References:
        Koromilas et al., `DHEL <https://arxiv.org/abs/2405.18045>`_, 2024, and `MV-DHEL
        <https://arxiv.org/abs/2507.06979>`_, 2025, and the latter's code, which adds the energies
        of all views to one alignment.
    """
    one, two = unit(first), unit(second)
    key, weight = jnp.arange(len(first)), jnp.ones(len(first))
    energies = [log_repulsion(z, key, weight, temperature=temperature) for z in (one, two)]
    return energies[0] + energies[1] - (one * two).sum(-1) / temperature
