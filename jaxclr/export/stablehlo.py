"""A finished run's network as one function of images, in a file that JAX alone can call."""

import importlib.util

import jax
import jax.numpy as jnp
from jax import export
from jax.stages import Wrapped
from jaxtyping import Array, Float, UInt8

from jaxclr.errors import InputError
from jaxclr.evaluation import make_predict
from jaxclr.probe import Probe
from jaxclr.saved import Saved
from jaxclr.training.layout import make_layout

PLATFORMS = ("cpu", "cuda", "tpu")
"""Where the function runs."""


def outputs_of(saved: Saved) -> tuple[str, ...]:
    """What the function gives of images, in order.

    Where the run was tested by a probe there is no classifier, and so no probabilities.
    """
    probed = isinstance(saved.experiment.evaluation, Probe)
    return ("features",) if probed else ("probabilities", "features")


def serialised(saved: Saved) -> bytes:
    """The function that the run was tested by, weights and normalisation included.

    ``jax.export.deserialize(bytearray(data)).call(images)``, with images uint8 ``[b, s, s, 3]`` of
    the size trained with and any ``b``, gives what :func:`outputs_of` says, in float32.

    Raises:
        InputError: What serialises it is not installed.
    """
    # By which JAX serialises, and which it does not bring along.
    if importlib.util.find_spec("flatbuffers") is None:
        raise InputError(
            "StableHLO is written by the package flatbuffers, and there is none. Install it: pip "
            "install 'jaxclr[export]'."
        )
    size = saved.experiment.augment.size
    (b,) = export.symbolic_shape("b")
    images = jax.ShapeDtypeStruct((b, size, size, 3), jnp.uint8)
    return bytes(export.export(_function(saved), platforms=PLATFORMS)(images).serialize())


def _function(saved: Saved) -> Wrapped:
    """From images to the outputs, jitted, for one device."""
    network, experiment, outputs = saved.network, saved.experiment, outputs_of(saved)
    layout = make_layout(1, jax.devices()[:1])
    predict = make_predict(network, experiment.augment, jnp.dtype(experiment.dtype), layout)

    def call(images: UInt8[Array, "b s s 3"]) -> tuple[Float[Array, "b _"], ...]:
        seen = predict(network.params, network.stats, images)
        found = {"probabilities": jax.nn.softmax(seen.logits), "features": seen.features}
        return tuple(found[name] for name in outputs)

    return jax.jit(call)
