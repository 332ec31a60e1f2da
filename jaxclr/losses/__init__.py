"""Pure losses: arrays in, unreduced values out, differentiable and safe under jit.

Each computes in float32 whatever it is given. Those that compare all pairs of a batch take a large
one in blocks, in memory linear in the batch. Nothing here knows of models or devices, so any JAX
training loop can use them.
"""

from jaxclr.losses.alignment import kernel_distance, moment_distance
from jaxclr.losses.assignment import sinkhorn
from jaxclr.losses.calibration import (
    gaussian_t_calibration,
    local_preservation,
    neighbourhood_entropy,
)
from jaxclr.losses.classification import (
    cross_entropy,
    negative_learning,
    probability_distance,
    soft_cross_entropy,
)
from jaxclr.losses.contrastive import mv_dhel, negative_logsumexp, nt_xent
from jaxclr.losses.invariance import (
    domain_means,
    invariance_penalty,
    risk_extrapolation,
    tilted_shares,
)
from jaxclr.losses.reduce import masked_mean, unit
from jaxclr.losses.redundancy import barlow_twins, cosine_distance, whiten, whitening_mse
from jaxclr.losses.repulsion import negative_class_contrastive
from jaxclr.losses.semi_supervised import semi_supervised_contrastive, supervised_contrastive

__all__ = [
    "barlow_twins",
    "cosine_distance",
    "cross_entropy",
    "domain_means",
    "gaussian_t_calibration",
    "invariance_penalty",
    "kernel_distance",
    "local_preservation",
    "masked_mean",
    "moment_distance",
    "mv_dhel",
    "negative_class_contrastive",
    "negative_learning",
    "negative_logsumexp",
    "neighbourhood_entropy",
    "nt_xent",
    "probability_distance",
    "risk_extrapolation",
    "semi_supervised_contrastive",
    "sinkhorn",
    "soft_cross_entropy",
    "supervised_contrastive",
    "tilted_shares",
    "unit",
    "whiten",
    "whitening_mse",
]
