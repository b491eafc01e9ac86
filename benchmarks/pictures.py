"""The data of works with pictures, made in a process of its own, so that the runner holds no JAX.

    python -m benchmarks.pictures WORK FOLDER

All sizes are those of the work's file in configs/. Digits are those of MNIST where they are found, else made up.
"""

import argparse
import dataclasses
import struct
from pathlib import Path

import jax
import numpy as np

from benchmarks import data
from benchmarks.pairs import BATCHES, EXPERIMENT, WEIGHTS, named
from benchmarks.works import WORKS, Work
from jaxseq.config import DigitScenesConfig, DigitsConfig, ExperimentConfig, load_config, to_json
from jaxseq.tasks import Workspace, task_of

LAP = 20
"""Batches of a training work, the first of the loader's; a round goes through them in a circle."""
_MADE_UP = 12_000
"""Digits."""


def experiment(work: Work, folder: Path) -> ExperimentConfig:
    """The work's configuration, its digits those that are found here."""
    config, _ = load_config(Path(__file__).parents[1] / "configs" / f"{work.experiment}.py")
    section = config.data
    if not isinstance(section, DigitsConfig | DigitScenesConfig):
        return config
    source = data.folder() / "mnist"
    if not source.is_dir():
        source = folder / "digits"
        write_digits(source)
    return dataclasses.replace(config, data=dataclasses.replace(section, source=str(source)))


def write_digits(folder: Path) -> None:
    """A folder like MNIST's, with made-up strokes on black."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    for name, count in (("train", _MADE_UP), ("t10k", 100)):
        grey = rng.integers(0, 256, (count, 28, 28), np.uint8)
        pictures = np.where(rng.random((count, 28, 28)) < 0.2, grey, 0).astype(np.uint8)
        labels = rng.integers(0, 10, count, np.uint8)
        for what, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{name}-{what}-ubyte").write_bytes(head + array.tobytes())


def prepare(work: Work, folder: Path) -> None:
    """Writes what the workers of a work with pictures read.

    experiment.json; weights.npz, see `pairs.named`; batches.npz: the fields of the loader's batches, with the number of
    the batch behind them, as in pictures_0, and of a detector only one.
    """
    config = experiment(work, folder)
    task = task_of(config).create(config, Workspace())
    loader = task.loader("train", train=True)
    count = 1 if work.kind == "detect" else min(LAP, loader.steps_per_epoch)
    batches = {f"{name}_{i}": array for i in range(count) for name, array in loader(i)._asdict().items()}
    params = task.init(jax.random.key(0))["params"]
    if work.kind == "detect":  # whose unit begins at zero
        rng = np.random.default_rng(8)
        params = jax.tree.map(lambda p: rng.normal(0, p.size**-0.5, p.shape).astype(np.float32), params)
    np.savez(folder / BATCHES, **batches)
    (folder / EXPERIMENT).write_text(to_json(config), encoding="utf-8")
    for name, content in task.artifacts().items():
        (folder / name).write_bytes(content)
    np.savez(folder / WEIGHTS, **named(params))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=[name for name, work in WORKS.items() if work.pictures])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    prepare(WORKS[arguments.work], arguments.folder)


if __name__ == "__main__":
    main()
