"""Where arrays lie: the state whole on every device, batches shared out by rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxclr.errors import InputError


class Layout(NamedTuple):
    """The two shardings of a data-parallel run."""

    replicated: NamedSharding
    batch: NamedSharding

    @property
    def num_devices(self) -> int:
        """How many devices share a batch."""
        return self.batch.num_devices

    def put_batch(self, batch: PyTree) -> PyTree:
        """Sends a batch to the devices, split along its first axis."""
        return jax.device_put(batch, self.batch)

    def put_state(self, state: PyTree) -> PyTree:
        """Sends a copy of the state to every device."""
        # On the CPU a put may alias the host's memory, which several devices then share, and into
        # which a donating step would write: only a computation's result is a device's own.
        own = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree), out_shardings=self.replicated)
        return own(jax.device_put(state, self.replicated))


def make_layout(rows: int, devices: Sequence[Any] | None = None) -> Layout:
    """Lays a batch of ``rows`` rows out over the devices, by default all there are.

    Raises:
        InputError: The rows cannot be shared out equally.
    """
    devices = jax.devices() if devices is None else devices
    if rows % len(devices):
        raise InputError(
            f"--batch-per-domain {rows} cannot be shared out equally over {len(devices)} devices; "
            f"give a multiple of {len(devices)}."
        )
    mesh = Mesh(np.array(devices), ("data",), axis_types=(AxisType.Auto,))
    return Layout(NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data")))
