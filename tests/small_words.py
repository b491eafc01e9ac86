"""Texts and experiments of word vectors so small that a test can look at every number."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.config import (
    CorpusConfig,
    ExperimentConfig,
    LinesConfig,
    SGDConfig,
    TrainConfig,
    VectorsConfig,
    WordVectorsConfig,
)


def write_words(path: Path, lines: int = 120) -> Path:
    """Lines of 2 to 12 of the words w0 to w29, the first ones more often, always the same."""
    draw = np.random.default_rng(0)
    shares = 1 / np.arange(1, 31)
    words = [draw.choice(30, draw.integers(2, 13), p=shares / shares.sum()) for _ in range(lines)]
    path.write_text("".join(" ".join(f"w{word}" for word in line) + "\n" for line in words))
    return path


def experiment_of(
    source: Path,
    *,
    kind: str = "corpus",
    task: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    epochs: int = 2,
) -> ExperimentConfig:
    """Vectors of 5 numbers from 8 words a row, 4 rows a batch."""
    fields = {"tokenizer": "word", "splitter": "whitespace", "split": (0.8, 0.2, 0.0), "length": 8, "batch_size": 4}
    section = CorpusConfig if kind == "corpus" else LinesConfig
    return ExperimentConfig(
        name="small",
        task=WordVectorsConfig(**{"window": 2, "negatives": 3, "shared": 5, "subsample": 0.05, **(task or {})}),
        data=section(**{"source": str(source), **fields, **(data or {})}),
        model=VectorsConfig(**{"features": 5, **(model or {})}),
        optimizer=SGDConfig(learning_rate=2.0, schedule="linear", final_fraction=0.01),
        train=TrainConfig(epochs=epochs),
    )
