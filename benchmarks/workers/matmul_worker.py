"""The yardstick: GFLOP/s of a large float32 matmul, in NumPy on CPU and in JAX (TF32, its default) on a GPU."""

from pathlib import Path

import numpy as np

from benchmarks.workers.serve import Job, serve
from benchmarks.works import Work


class Matmul:
    """One call multiplies two square matrices; its unit is a GFLOP."""

    def __init__(self, device: str) -> None:
        size = 2048 if device == "cpu" else 16384
        self.units_per_call = 2 * size**3 / 1e9
        matrix = np.random.default_rng(0).standard_normal((size, size), np.float32)
        if device == "cpu":
            self.multiply = lambda: matrix @ matrix
        else:
            import jax

            on_device, product = jax.device_put(matrix), jax.jit(lambda a: a @ a)
            self.multiply = lambda: product(on_device)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            result = self.multiply()
        np.asarray(result[0, 0])


def build(work: Work, folder: Path, device: str) -> Job:
    return Matmul(device)


if __name__ == "__main__":
    serve(build, packages=("numpy",))
