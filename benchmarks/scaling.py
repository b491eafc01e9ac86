"""What more processes and more devices bring: rows a second, and the share of perfect scaling that is.

    python benchmarks/scaling.py                                    1 and 2 processes; 1, 2, 4 and 8 devices of one
    python benchmarks/scaling.py --steps 200 --rounds 5             longer
    python benchmarks/scaling.py --model-devices 2                  the devices in pairs that share the parameters

A character LSTM (128 wide) and a Transformer (2 layers, 128 wide) train on made-up tokens, every step with `--rows`
rows however many share them, so that all do the same work. A round times `--steps` steps after the first call, which
compiles; contestants take turns, round by round, and the median of the rounds counts. "of 1" is the speed as a multiple
of the first line's. CPU devices are threads: beyond the cores of the machine they only show what sharing costs.
Processes meet over gloo on the loopback interface.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WORK = {"lstm": (128, 64), "transformer": (128, 64)}
"""Width, and tokens of a row."""
VOCABULARY = 65


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=32, help="rows of a batch, among all devices")
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8], help="of one process")
    parser.add_argument("--processes", type=int, nargs="+", default=[2], help="with one device each")
    parser.add_argument("--model-devices", type=int, default=1, help="devices that share the parameters")
    parser.add_argument("--works", nargs="+", choices=list(WORK), default=list(WORK))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(json.loads(options.worker))
    model = options.model_devices
    contestants = [(1, devices) for devices in options.devices if devices % model == 0]
    contestants += [(processes, model) for processes in options.processes]
    print(f"{os.cpu_count()} cores, batches of {options.rows} rows, {options.rounds} rounds of {options.steps} steps")
    print("\n| work | processes | devices of each | rows/s | of 1 |\n|---|---|---|---|---|")
    for work in options.works:
        speeds: dict[tuple[int, int], list[float]] = {each: [] for each in contestants}
        for _ in range(options.rounds):
            for each in contestants:
                speeds[each].append(rows_a_second(work, *each, options))
        medians = {each: statistics.median(found) for each, found in speeds.items()}
        first = medians[contestants[0]]
        for (processes, devices), speed in medians.items():
            print(f"| {work} | {processes} | {devices} | {speed:,.0f} | {speed / first:.2f} |", flush=True)
    return 0


def rows_a_second(work: str, processes: int, devices: int, options: Any) -> float:
    """Of a round, by the slowest process."""
    with socket.create_server(("", 0)) as server:
        where = f"localhost:{server.getsockname()[1]}"
    given = {"work": work, "processes": processes, "devices": devices, "rows": options.rows, "steps": options.steps}
    given |= {"coordinator": where if processes > 1 else "", "model_devices": options.model_devices}
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps({**given, "process": number if processes > 1 else -1})],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for number in range(processes)
    ]
    found = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{work} on {processes} x {devices} failed")
    return min(float(text.splitlines()[-1]) for text in found)  # libraries may have printed before it


def worker(given: dict[str, Any]) -> int:
    """One process of a round: prints its rows a second."""
    from jaxseq import runtime
    from jaxseq.processes import Group, leave

    several = given["processes"] > 1
    group = Group(given["processes"], given["process"], given["coordinator"], 120) if several else None
    runtime.configure(devices=given["devices"], group=group)
    print(f"\n{next(speeds(given))}", flush=True)
    if several:
        leave()
    return 0


def speeds(given: dict[str, Any]) -> Iterator[float]:
    """Rows a second, round after round, of the steps that training makes."""
    import jax
    import numpy as np

    from jaxseq.config import AdamConfig, RNNConfig, TransformerConfig
    from jaxseq.data import RowLoader
    from jaxseq.signals import StopRequest
    from jaxseq.tasks.language.language_model import build_model, init_params, make_loss_fn
    from jaxseq.training.devices import choose_devices, put_state
    from jaxseq.training.dispatch import compile_training, stack_batches
    from jaxseq.training.optim import make_optimizer
    from jaxseq.training.state import init_state
    from jaxseq.training.stopping import StopTogether

    width, length = WORK[given["work"]]
    transformer = TransformerConfig(features=width, heads=4, layers=2, context=length)
    config = RNNConfig(features=width) if given["work"] == "lstm" else transformer
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 400_000, dtype=np.int32)
    loader = RowLoader(ids, length=length, batch_size=given["rows"], vocab_size=VOCABULARY)
    model = build_model(config, vocabulary_size=VOCABULARY)
    parallel, _ = choose_devices(given["devices"], given["rows"], model=given["model_devices"])
    optimizer, most = make_optimizer(AdamConfig(), steps=10**6), 10
    run = compile_training(make_loss_fn(model, loader), optimizer, parallel=parallel, most=most)
    carry = model.initial_carry(given["rows"])
    state = init_state({"params": init_params(model, seed=0)}, optimizer, key=jax.random.key(0), carry=carry)
    state = put_state(parallel, state)
    rows = parallel.own_rows(given["rows"]) if parallel.spread else None
    step, stop = 0, StopTogether(StopRequest())
    while True:
        begin = 0.0
        for call in range(1 + -(-given["steps"] // most)):
            if call == 1:
                jax.block_until_ready(state)
                begin = time.perf_counter()
            batches = stop.asking(stack_batches(loader, step, most, most, rows=rows), parallel)
            state, _ = run(state, batches, np.int32(most))
            step += most
        jax.block_until_ready(state)
        yield most * -(-given["steps"] // most) * given["rows"] / (time.perf_counter() - begin)


if __name__ == "__main__":
    sys.exit(main())
