"""Every test sees eight virtual devices, as if the machine had so many."""

import os

# Before jax is first imported, which is when it counts its devices.
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 "
    # Compiling is most of what the tests cost.
    "--xla_backend_optimization_level=0"
)
os.environ["JAX_PLATFORMS"] = "cpu"
