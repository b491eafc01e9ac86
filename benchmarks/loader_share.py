"""What share of a training step its loader costs, for experiments of configs/ on their own texts.

    python benchmarks/loader_share.py                                     all that fit a CPU
    python benchmarks/loader_share.py configs/shakespeare_gru.py          one

The loader's time is that of cutting the batches of one dispatch and stacking them, on one core; the step's is that of
the transfer of these batches and of the compiled function. Both are medians over dispatches taken in turn, so the order
of a shuffled epoch, drawn once, does not show; batches of a length that is new, for which a program is compiled, do not
count. In `jaxseq train` the next batches are cut while the devices compute.

Texts are looked for as the configurations say, beneath the current directory.
"""

import argparse
import dataclasses
import statistics
import sys
import time
from pathlib import Path

import jax
import numpy as np

from jaxseq import runtime
from jaxseq.config import CorpusConfig, load_config
from jaxseq.errors import InputError
from jaxseq.sharding import STACKED_SHARDED
from jaxseq.tasks import Workspace, task_of
from jaxseq.training.devices import choose_devices, put_state
from jaxseq.training.dispatch import compile_training, stack_batches
from jaxseq.training.intervals import Intervals
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import init_state

CONFIGS = Path(__file__).parents[1] / "configs"


def seconds_per_step(path: Path, *, dispatches: int) -> tuple[float, float]:
    """Median seconds a step of the loader, and of the compiled training step."""
    config, _ = load_config(path)
    if isinstance(config.data, CorpusConfig):
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, memory_map=False))
    task = task_of(config).create(config, Workspace())
    loader = task.loader("train", train=True)
    most = Intervals.of(config.train, loader.steps_per_epoch, uniform=loader.uniform).most
    optimizer = make_optimizer(config.optimizer, steps=most * dispatches)
    parallel, _ = choose_devices(config.train.devices, loader.batch_size)
    run = compile_training(task.loss, optimizer, parallel=parallel, most=most)
    variables, carry = task.init(jax.random.key(config.train.seed)), task.initial_carry(loader.batch_size)
    state = put_state(parallel, init_state(variables, optimizer, key=jax.random.key(1), carry=carry))
    loading, training = [], []
    step, compiled = 0, set()
    while len(training) < dispatches:
        start = time.perf_counter()
        batches = stack_batches(loader, step, most, most)
        loaded = time.perf_counter()
        state, tallies = run(state, parallel.put(batches, STACKED_SHARDED), np.int32(most))
        jax.block_until_ready((state, tallies))
        trained = time.perf_counter()
        shapes = tuple(leaf.shape for leaf in jax.tree.leaves(batches))
        if shapes in compiled:
            loading.append((loaded - start) / most)
            training.append((trained - loaded) / most)
        step, compiled = step + most, compiled | {shapes}
    return statistics.median(loading), statistics.median(training)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everywhere = [path for path in sorted(CONFIGS.glob("*.py")) if not path.stem.endswith("_gpu")]
    parser.add_argument("configs", nargs="*", type=Path, default=everywhere)
    parser.add_argument("--dispatches", type=int, default=20, help="calls of the compiled function to time")
    options = parser.parse_args()
    runtime.configure()
    print(f"{'config':28}{'loader':>12}{'step':>12}{'share':>9}")
    for path in options.configs:
        try:
            loading, training = seconds_per_step(path, dispatches=options.dispatches)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        print(f"{path.stem:28}{loading * 1e6:9.1f} us{training * 1e3:9.2f} ms{loading / training:9.2%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
