"""Where arrays lie: the state whole on every device or shared out, batches shared out by rows.

The devices may be those of several processes, each of which makes the rows of its own.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxclr.errors import InputError
from jaxclr.training.state import TrainState

Sharding = Literal["replicated", "full"]
"""Whether a state's arrays are whole on every device, or the large ones shared out over all."""
LARGE = 2**14
"""Numbers from which on an array is worth sharing out."""


class Layout(NamedTuple):
    """The two shardings of a data-parallel run, and which of them a state's arrays have."""

    replicated: NamedSharding
    batch: NamedSharding
    sharding: Sharding = "replicated"

    @property
    def num_devices(self) -> int:
        """How many devices share a batch."""
        return self.batch.num_devices

    @property
    def num_processes(self) -> int:
        """How many processes the devices belong to."""
        return len({device.process_index for device in self.batch.device_set})

    def rows(self, count: int) -> slice:
        """Which of ``count`` rows lie on devices of this process; all, where it is alone."""
        of_devices = self.batch.addressable_devices_indices_map((count,)).values()
        spans = [index[0].indices(count) for index in of_devices if index]
        return slice(min(start for start, *_ in spans), max(stop for _, stop, _ in spans))

    def put_batch(self, batch: PyTree) -> PyTree:
        """Sends this process's rows of a batch to its devices; the result is the whole batch."""
        return jax.make_array_from_process_local_data(self.batch, batch)

    def shardings(self, state: PyTree) -> PyTree:
        """Where the arrays of a state lie: whole on every device, or some of them shared out.

        Where the state is a run's, those are its parameters, their average and what the optimizer
        keeps, each along its longest axis that the devices can share equally.
        """
        whole = jax.tree.map(lambda _: self.replicated, state)
        if self.sharding == "replicated" or not isinstance(state, TrainState):
            return whole
        params, opt_state, ema = (
            jax.tree.map(self._shared, part) for part in (state.params, state.opt_state, state.ema)
        )
        return whole._replace(params=params, opt_state=opt_state, ema=ema)

    def _shared(self, x: Any) -> NamedSharding:
        axes = [axis for axis, count in enumerate(x.shape) if count % self.num_devices == 0]
        if x.size < LARGE or not axes:
            return self.replicated
        longest = max(axes, key=lambda axis: x.shape[axis])
        return NamedSharding(self.batch.mesh, PartitionSpec(*[None] * longest, "data"))

    def spread(self, state: PyTree) -> PyTree:
        """What a state is like once it is on the devices, without its values."""
        return jax.tree.map(
            lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where),
            state, self.shardings(state),
        )  # fmt: skip

    def put_state(self, state: PyTree) -> PyTree:
        """Sends a copy of the state to the devices; each process has the same."""
        # On the CPU a put may alias the host's memory, which several devices then share, and into
        # which a donating step would write: only a computation's result is a device's own.
        where = self.shardings(state)
        own = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree), out_shardings=where)
        return own(jax.device_put(state, where))

    def gather(self, arrays: PyTree) -> PyTree:
        """Arrays of a state, whole on every device."""
        if self.sharding == "replicated":
            return arrays
        return jax.device_put(arrays, self.replicated)


def make_layout(
    rows: int, devices: Sequence[Any] | None = None, *, sharding: Sharding = "replicated"
) -> Layout:
    """Lays a batch of rows out over the devices.

    Args:
        rows: Images of each domain.
        devices: None: all there are.
        sharding: How a state lies.

    Raises:
        InputError: The rows cannot be shared out equally.
    """
    devices = jax.devices() if devices is None else devices
    # On some clusters the numbers of the devices of several processes are interleaved.
    devices = sorted(devices, key=lambda device: device.process_index)
    if rows % len(devices):
        raise InputError(
            f"--batch-per-domain {rows} cannot be shared out equally over {len(devices)} devices; "
            f"give a multiple of {len(devices)}."
        )
    mesh = Mesh(np.array(devices), ("data",), axis_types=(AxisType.Auto,))
    whole, batch = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))
    return Layout(whole, batch, sharding)
