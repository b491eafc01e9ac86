"""Documents whose words follow from each other, and small masked language models for them."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.config import (
    AdamConfig,
    DocumentsConfig,
    EncoderConfig,
    ExperimentConfig,
    MaskedLanguageModelingConfig,
    TrainConfig,
)

TOPICS = {
    "farm": {"Cow": "moos", "Dog": "barks"},
    "night": {"Owl": "hoots", "Bat": "squeaks"},
    "sea": {"Gull": "cries", "Seal": "roars"},
    "town": {"Bus": "honks", "Tram": "rings"},
}
"""What is heard where: a place tells who is there, and who it is what is heard."""


def documents(count: int, *, seed: int = 0) -> list[str]:
    """Each of 3 to 6 sentences of one place, as "Cow moos farm."; the places in turn."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        place = list(TOPICS)[number % len(TOPICS)]
        who = draw.choice(list(TOPICS[place]), draw.integers(3, 7))
        found.append(" ".join(f"{one} {TOPICS[place][one]} {place}." for one in who))
    return found


def write_documents(path: Path, count: int, *, seed: int = 0) -> Path:
    """A text of such documents, a line each."""
    path.write_text("".join(f"{document}\n" for document in documents(count, seed=seed)), encoding="utf-8")
    return path


def experiment_of(
    source: Path,
    *,
    task: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    epochs: int = 1,
) -> ExperimentConfig:
    """Of words, 32 wide, in batches of 32 x 10."""
    fields = {"form": "lines", "tokenizer": "word", "length": 10, "batch_size": 32, "split": (0.8, 0.1, 0.1)}
    task = {"pairs": True, "share": 0.25, "examples": 3, **(task or {})}
    size = {"features": 32, "layers": 1, "heads": 2, "segments": 2 * task["pairs"]}
    return ExperimentConfig(
        name="small",
        task=MaskedLanguageModelingConfig(**task),
        data=DocumentsConfig(**{**fields, "source": str(source), **(data or {})}),
        model=EncoderConfig(**{**size, **(model or {})}),
        optimizer=AdamConfig(learning_rate=1e-2),
        train=TrainConfig(epochs=epochs),
    )
