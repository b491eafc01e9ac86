"""Labelled texts and experiments of text vectors so small that a test can look at every number."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.config import ExperimentConfig, LabelledConfig, SGDConfig, TextVectorsConfig, TrainConfig, VectorsConfig

TOPICS = {"sea": ("ship", "wave", "port", "sail", "fish"), "sky": ("cloud", "wing", "star", "bird", "wind")}
SHARED = ("the", "a", "of", "and")


def topical_texts(count: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """(text, topic) in turn: 6 to 14 words, of which about half are those of the topic."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        topic = list(TOPICS)[number % 2]
        words = [*TOPICS[topic], *SHARED]
        found.append((" ".join(draw.choice(words, draw.integers(6, 15))), topic))
    return found


def write_texts(path: Path, count: int, *, seed: int = 0) -> Path:
    """A table of such texts."""
    rows = "".join(f"{text}\t{topic}\n" for text, topic in topical_texts(count, seed=seed))
    path.write_text(f"text\tlabel\n{rows}")
    return path


def experiment_of(
    source: Path,
    *,
    task: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    epochs: int = 2,
) -> ExperimentConfig:
    """Vectors of 5 numbers, 4 rows a batch."""
    fields = {"splitter": "whitespace", "validation": 0.2, "batch_size": 4, "source": str(source)}
    return ExperimentConfig(
        name="small",
        task=TextVectorsConfig(
            **{"window": 2, "negatives": 3, "shared": 5, "subsample": 0.0, "inference_steps": 20, **(task or {})}
        ),
        data=LabelledConfig(**{**fields, **(data or {})}),
        model=VectorsConfig(features=5),
        optimizer=SGDConfig(learning_rate=5.0, schedule="linear", final_fraction=0.01),
        train=TrainConfig(epochs=epochs),
    )
