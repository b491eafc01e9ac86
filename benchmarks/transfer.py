"""What the vectors of a language model are worth to a classifier, by the number of labelled texts.

    python3 -m benchmarks.transfer vectors.npz --picture transfer.png

Trains configs/bag_transfer.py with the vectors tuned, frozen, and without them, at several numbers of reviews and with
several seeds, and prints test accuracies as a table: mean and standard deviation. Each run is kept in runs/transfer,
and not made again.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from jaxseq import console, runtime
from jaxseq.config import ClassificationConfig, ExperimentConfig, LabelledConfig, load_config

ROOT = Path(__file__).parents[1]
STARTS = {
    "random": {"vectors": "", "vocabulary": "texts"},
    "frozen": {"freeze_vectors": True},
    "tuned": {},
}
"""What of the task is changed for each start of the embedding."""


@dataclass(frozen=True)
class TransferArguments:
    """Test accuracy of bags of words that start from the vectors of a language model, and of others."""

    vectors: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """What `jaxseq export runs/bag_lm FILE` wrote."""
    examples: tuple[int, ...] = (100, 1_000, 20_000)
    """Numbers of labelled reviews."""
    seeds: int = 3
    runs: Path = Path("runs/transfer")
    """Where the runs are kept."""
    picture: Path | None = None
    """Also draw them there."""


def variant(config: ExperimentConfig, start: str, *, vectors: Path, examples: int, seed: int) -> ExperimentConfig:
    """The experiment with one start of the embedding."""
    assert isinstance(config.task, ClassificationConfig)
    assert isinstance(config.data, LabelledConfig)
    return dataclasses.replace(
        config,
        name=f"{start}_{examples}_{seed}",
        task=dataclasses.replace(config.task, **{"vectors": str(vectors), **STARTS[start]}),
        data=dataclasses.replace(config.data, examples=examples),
        train=dataclasses.replace(config.train, seed=seed),
    )


def table(accuracies: dict[str, dict[int, list[float]]]) -> str:
    """Accuracies [seeds] by start and number of reviews, as Markdown."""
    sizes = list(next(iter(accuracies.values())))
    lines = ["| start | " + " | ".join(f"{size:,} reviews" for size in sizes) + " |", "| --- " * (len(sizes) + 1) + "|"]
    for start, found in accuracies.items():
        cells = [f"{100 * np.mean(found[n]):.2f} ± {100 * np.std(found[n], ddof=1):.2f} %" for n in sizes]
        lines.append(f"| {start} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(accuracies: dict[str, dict[int, list[float]]], path: Path) -> None:
    """A line for each start: mean accuracy by the number of reviews, with the deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    for start, found in accuracies.items():
        sizes = list(found)
        means = [100 * np.mean(found[n]) for n in sizes]
        deviations = [100 * np.std(found[n], ddof=1) for n in sizes]
        axes.errorbar(sizes, means, deviations, marker="o", capsize=3, label=start)
    axes.set_xscale("log")
    axes.set_xlabel("labelled reviews")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(title="embedding")
    figure.savefig(path)


def main(arguments: TransferArguments) -> None:
    """Trains what is missing, and prints the table."""
    runtime.configure()
    from jaxseq.runs.evaluation import evaluate_run
    from jaxseq.runs.train import train_run

    config, _ = load_config(ROOT / "configs" / "bag_transfer.py")
    accuracies: dict[str, dict[int, list[float]]] = {start: {} for start in STARTS}
    for examples in arguments.examples:
        for start, found in accuracies.items():
            found[examples] = []
            for seed in range(arguments.seeds):
                own = variant(config, start, vectors=arguments.vectors, examples=examples, seed=seed)
                run_dir = arguments.runs / own.name
                result = train_run(own, run_dir)
                if result.stopped == "signal":  # the same command goes on from there
                    raise SystemExit(result.exit_code)
                measured = next(iter(evaluate_run(run_dir, split="test").values()))
                found[examples].append(measured.metrics["accuracy"])
    console.show(table(accuracies))
    if arguments.picture is not None:
        draw(accuracies, arguments.picture)


if __name__ == "__main__":
    main(tyro.cli(TransferArguments, description=__doc__))
