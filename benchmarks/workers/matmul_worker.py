"""The yardstick: GFLOP/s of a large matmul, on a CPU in NumPy and float32, on a GPU in JAX and the type of the work,
TF32 (JAX's default there) for float32."""

from pathlib import Path

import numpy as np

from benchmarks.workers.serve import Job, serve
from benchmarks.works import Work


class Matmul:
    """One call multiplies two square matrices; its unit is a GFLOP."""

    def __init__(self, work: Work, device: str) -> None:
        size = 2048 if device == "cpu" else 16384
        self.units_per_call = 2 * size**3 / 1e9
        matrix = np.random.default_rng(0).standard_normal((size, size), np.float32)
        if device == "cpu":
            self.multiply = lambda: matrix @ matrix
        else:
            import jax

            on_device, product = jax.device_put(matrix.astype(work.dtype)), jax.jit(lambda a: a @ a)
            self.multiply = lambda: product(on_device)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            result = self.multiply()
        np.asarray(result[0, 0], np.float32)


def build(work: Work, folder: Path, device: str) -> Job:
    return Matmul(work, device)


if __name__ == "__main__":
    serve(build, packages=("numpy",))
