"""One model trained and measured."""

import time
from pathlib import Path

import jax

from benchmarks.units.experiments import Kind, experiment, read_tokenizer
from benchmarks.units.results import Result
from benchmarks.units.texts import Texts
from benchmarks.units.unknown import count_tokens
from jaxseq.config import ExperimentConfig, RNNConfig
from jaxseq.data.records import open_records
from jaxseq.runs import load_run
from jaxseq.runs.evaluation import evaluate_run
from jaxseq.runs.train import train_run

_ROWS = 32
"""Of an evaluation."""


def measured(folder: Path, texts: Texts, kind: Kind, unit: str, *, seed: int) -> Result:
    """What `folder` has of this training, or what becomes of it now.

    Raises:
        SystemExit: a signal has stopped it; called again, it goes on.
    """
    file = folder / "results" / f"{kind}_{unit}_{seed}.json"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        own = experiment(folder, texts, kind, unit, seed=seed)
        _trained(folder, texts, kind, unit, own).write(file)
    return Result.read(file)


def _trained(folder: Path, texts: Texts, kind: Kind, unit: str, own: ExperimentConfig) -> Result:
    run_dir, started = folder / "trained" / own.name, time.process_time()
    run_dir.parent.mkdir(exist_ok=True)
    ended = train_run(own, run_dir)
    if ended.stopped == "signal":
        raise SystemExit(ended.exit_code)
    seconds = time.process_time() - started
    model, tokenizer = own.model, read_tokenizer(folder, texts, kind, unit)
    assert isinstance(model, RNNConfig)
    tagged = unit == "morphemes"
    if kind == "classifier":
        tests = open_records(str(texts.reviews("test", tagged=tagged)), text_column="document")
    else:
        tests = iter([texts.running("test", tagged=tagged).read_text(encoding="utf-8")])
    counts = count_tokens(tokenizer, tests)
    metrics = next(iter(evaluate_run(run_dir, split="test", rows=_ROWS).values())).metrics
    return Result(
        kind=kind,
        unit=unit,
        seed=own.train.seed,
        vocabulary=tokenizer.vocabulary_size,
        embedding=model.embedding,
        state=model.features,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(load_run(run_dir).params)),
        seconds=seconds,
        score=metrics["accuracy"] if kind == "classifier" else metrics["bits_per_token"] * counts.tokens,
        **counts._asdict(),
    )
