"""Translators so small that a test can look at every number, and pairs of sentences for them."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import (
    AdamConfig,
    ExperimentConfig,
    MadeUpConfig,
    ModelConfig,
    PairedConfig,
    PairsConfig,
    Seq2SeqTransformerConfig,
    TrainConfig,
    TranslationConfig,
)
from jaxseq.tasks import TranslationTask, Workspace

WORDS = {"der": "the", "ein": "a", "hund": "dog", "mann": "man", "rennt": "runs", "steht": "stands", "hier": "here"}
TRANSFORMER = Seq2SeqTransformerConfig(features=16, layers=1, heads=2, mlp_ratio=2, context=8, dropout=0.0)


def translated_sentences(count: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Sentences of 1 to 4 words, each twice at times, and their translations word by word."""
    draw = np.random.default_rng(seed)
    sources = [draw.choice(list(WORDS), draw.integers(1, 5)).tolist() for _ in range(count)]
    return [(" ".join(source), " ".join(WORDS[word] for word in source)) for source in sources]


def write_sides(folder: Path, name: str, count: int, *, seed: int = 0) -> tuple[Path, Path]:
    """Such sentences in two files, NAME.de and NAME.en."""
    pairs = translated_sentences(count, seed=seed)
    sides = folder / f"{name}.de", folder / f"{name}.en"
    for path, sentences in zip(sides, zip(*pairs, strict=True), strict=True):
        path.write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
    return sides


def made_up_data(**fields: Any) -> MadeUpConfig:
    """Up to five of five letters, to be reversed."""
    sizes = {"examples": 60, "held_out": 9, "letters": 5, "most": 5, "batch_size": 16, "lengths": 1, "joint": True}
    return MadeUpConfig(**{**sizes, **fields})


def pairs_data(source: Path, **fields: Any) -> PairsConfig:
    """Words of a table."""
    options = {"batch_size": 8, "lengths": 2, "split": (0.6, 0.2, 0.2)}
    return PairsConfig(source=str(source), **{**options, **fields})


def experiment_of(
    data: PairedConfig, *, model: ModelConfig = TRANSFORMER, task: dict[str, Any] | None = None
) -> ExperimentConfig:
    """A beam of three, translations of up to eight tokens."""
    section = TranslationConfig(**{"beam": 3, "longest": 8, "tokenize": "char", "examples": 2, **(task or {})})
    optimizer = AdamConfig(learning_rate=1e-2, schedule="cosine")
    return ExperimentConfig(
        name="small", task=section, data=data, model=model, optimizer=optimizer, train=TrainConfig(steps=20)
    )


def made(experiment: ExperimentConfig, **workspace: Any) -> TranslationTask:
    """Its task, with data."""
    return TranslationTask.create(experiment, Workspace(**workspace))


def random_variables(task: TranslationTask) -> dict[str, Any]:
    """Drawn so that all counts, and that sources become this and that (and some of those made up end at once)."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    draw = np.random.default_rng(4)
    return jax.tree.map(lambda leaf: jnp.asarray(0.5 * draw.normal(size=leaf.shape), jnp.float32), shapes)
