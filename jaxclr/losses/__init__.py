"""Pure losses: arrays in, unreduced values out, differentiable and safe under jit.

Each computes in float32 whatever it is given. Nothing here knows of models or devices, so any
JAX training loop can use them.
"""

from jaxclr.losses.classification import cross_entropy
from jaxclr.losses.reduce import masked_mean, unit
from jaxclr.losses.repulsion import negative_class_contrastive

__all__ = ["cross_entropy", "masked_mean", "negative_class_contrastive", "unit"]
