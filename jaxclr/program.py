"""The functions of a run, compiled once for all runs that are alike."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxclr.evaluation import Predict, make_predict
from jaxclr.experiment import Experiment
from jaxclr.models.chunks import compiler_options, refuse_misfit
from jaxclr.training.layout import Layout
from jaxclr.training.state import Setting, initial_state
from jaxclr.training.step import TrainStep, make_train_step


class Program(NamedTuple):
    """The functions of a run, jitted."""

    train_step: TrainStep
    predict: Predict


def make_program(experiment: Experiment, setting: Setting, layout: Layout) -> Program:
    """The functions of a run.

    Args:
        experiment: Says how tightly the step is to use memory, and how images are tested.
        setting: What the step is made from.
        layout: Where arrays lie before and after a step.
    """
    frugal = experiment.chunks > 1 or experiment.model.remat
    state = jax.eval_shape(lambda: initial_state(setting))
    step = jax.jit(
        make_train_step(setting), donate_argnums=0,
        out_shardings=(layout.shardings(state), layout.replicated),
        compiler_options=compiler_options() if frugal else None,
    )  # fmt: skip
    return Program(step, make_predict(setting.network, experiment.augment, setting.dtype, layout))


def refuse_chunks(experiment: Experiment, domains: int) -> None:
    """Tells whether a step can be made in as many chunks as the experiment has.

    Raises:
        InputError: It cannot.
    """
    if experiment.chunks == 1:
        return
    model = experiment.model
    refuse_misfit(
        nnx.eval_shape(lambda: model.layers(jnp.dtype(experiment.dtype))[0]),
        chunks=experiment.chunks, groups=domains if model.norm == "domain" else 1,
        domains=domains, images=domains * experiment.batch_per_domain // jax.device_count(),
    )  # fmt: skip
