"""Several CPU devices, for the tests of data parallelism; only possible before JAX has used its first one."""

import contextlib

import jax

with contextlib.suppress(RuntimeError):
    jax.config.update("jax_num_cpu_devices", 4)
