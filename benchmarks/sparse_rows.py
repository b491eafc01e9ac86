"""How long a step takes that sees some rows of a large table, beside dense updates and PyTorch's sparse embedding.

    python benchmarks/sparse_rows.py
    python benchmarks/sparse_rows.py --rows 200000 --few 20000 --rules sgd --rounds 3

The loss is the dot product of the rows looked up with numbers given, so that a step is little more than the update of
the table. "rows" is the training step of jaxseq with `optimizer.rows`, on the large table and on a small one; "optax"
the same loss with optax on the whole table, donated; "torch" is `torch.nn.Embedding(sparse=True)` with SGD, Adagrad and
SparseAdam. Ids are uniform. Of each rule all take turns; the median of the rounds, in ms a step. Adam on all of
2,000,000 rows takes some 10 GB.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxseq.config import AdagradConfig, AdamConfig, OptimizerConfig, SGDConfig
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossOutput
from jaxseq.sharding import DataParallel
from jaxseq.training.devices import put_state
from jaxseq.training.dispatch import compile_training
from jaxseq.training.optim import make_optimizer
from jaxseq.training.state import init_state

RATE = 0.01
CONFIGS: dict[str, OptimizerConfig] = {
    "sgd": SGDConfig(learning_rate=RATE, rows=True),
    "adagrad": AdagradConfig(learning_rate=RATE, rows=True),
    "adam": AdamConfig(learning_rate=RATE, rows=True),
}
OPTAX = {"sgd": optax.sgd, "adagrad": optax.adagrad, "adam": optax.adam}
TORCH = {"sgd": "SGD", "adagrad": "Adagrad", "adam": "SparseAdam"}

Batch = tuple[np.ndarray, np.ndarray]
Step = Callable[[Batch], None]
"""Makes one step and waits for it."""


def batches_of(size: int, *, seen: int, depth: int, count: int) -> list[Batch]:
    """Ids below `size`, and a number for each element looked up."""
    random = np.random.default_rng(0)
    return [
        (random.integers(0, size, seen).astype(np.int32), random.normal(size=(seen, depth)).astype(np.float32))
        for _ in range(count)
    ]


def by_rows(rule: str, size: int, depth: int) -> Step:
    """The training step of jaxseq."""

    def loss(variables: Any, carry: Any, batch: Any, context: LossContext) -> LossOutput:
        ids, weights = batch
        total = (variables["params"]["table"][ids] * weights).sum()
        return LossOutput({"loss": Tally(total, jnp.float32(1))})

    optimizer, parallel = make_optimizer(CONFIGS[rule], steps=1000), DataParallel.over(1)
    run = compile_training(loss, optimizer, parallel=parallel, most=1)
    held = [init_state({"params": {"table": jnp.zeros((size, depth))}}, optimizer, key=jax.random.key(0))]
    held[0] = put_state(parallel, held[0])

    def step(batch: Batch) -> None:
        held[0], tallies = run(held[0], tuple(part[None] for part in batch), np.int32(1))
        jax.block_until_ready((held[0], tallies))

    return step


def dense(rule: str, size: int, depth: int) -> Step:
    """Optax on the gradient by the whole table."""
    transform = OPTAX[rule](RATE)

    def update(table: Any, state: Any, ids: Any, weights: Any) -> tuple[Any, Any]:
        gradient = jax.grad(lambda table: (table[ids] * weights).sum())(table)
        updates, state = transform.update(gradient, state, table)
        return optax.apply_updates(table, updates), state

    run = jax.jit(update, donate_argnums=(0, 1))
    table = jnp.zeros((size, depth))
    held = [(table, transform.init(table))]

    def step(batch: Batch) -> None:
        held[0] = jax.block_until_ready(run(*held[0], *batch))

    return step


def torch_sparse(rule: str, size: int, depth: int) -> Step:
    """PyTorch's sparse embedding."""
    import torch

    embedding = torch.nn.Embedding(size, depth, sparse=True)
    optimizer = getattr(torch.optim, TORCH[rule])(embedding.parameters(), RATE)

    def step(batch: Batch) -> None:
        ids, weights = map(torch.from_numpy, batch)
        optimizer.zero_grad()
        (embedding(ids) * weights).sum().backward()
        optimizer.step()

    return step


def milliseconds(steps: Sequence[tuple[Step, list[Batch]]], *, rounds: int) -> list[float]:
    """The median of the rounds of each, a step; they take turns, and the first round is not counted."""
    found: list[list[float]] = [[] for _ in steps]
    for turn in range(rounds + 1):
        for (step, batches), times in zip(steps, found, strict=True):
            start = time.perf_counter()
            for batch in batches:
                step(batch)
            if turn:
                times.append(1000 * (time.perf_counter() - start) / len(batches))
    return [statistics.median(times) for times in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the large table")
    parser.add_argument("--few", type=int, default=20_000, help="of the small one")
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--seen", type=int, default=4000, help="rows looked up in a step")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rules", nargs="+", choices=list(CONFIGS), default=list(CONFIGS))
    parser.add_argument("--peers", nargs="*", choices=["optax", "torch"], default=["optax", "torch"])
    options = parser.parse_args()
    sizes = {"rows, few": options.few, "rows": options.rows, "optax": options.rows, "torch": options.rows}
    makers = {"rows, few": by_rows, "rows": by_rows, "optax": dense, "torch": torch_sparse}
    names = ["rows, few", "rows", *options.peers]
    print(f"{'rule':10}" + "".join(f"{name:>12}" for name in names) + "   ms a step")
    for rule in options.rules:
        steps = []
        for name in names:
            count = 2 if name == "optax" else 20  # it takes a hundred times as long
            batches = batches_of(sizes[name], seen=options.seen, depth=options.depth, count=count)
            steps.append((makers[name](rule, sizes[name], options.depth), batches))
        found = milliseconds(steps, rounds=options.rounds)
        ratios = ", ".join(f"{time / found[1]:.3g} {name}" for name, time in zip(names, found, strict=True))
        print(f"{rule:10}" + "".join(f"{time:12.2f}" for time in found) + f"   (of rows: {ratios})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
