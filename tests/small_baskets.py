"""Baskets of two kinds of items that never meet, and experiments on them, so small that a test can look at all."""

import json
import random
from pathlib import Path
from typing import Any

from jaxseq.config import BasketsConfig, ExperimentConfig, SGDConfig, TrainConfig, VectorsConfig, WordVectorsConfig

KINDS = (
    ("Brie, aged", "red\twine", '"water" biscuits', "grapes (1 kg)", "figs"),
    ("0012", "12", "hammer\n5 oz", "saw & blade", "nails, steel"),
)
"""Of each, one item is in few baskets, so that no order by counts tells them apart."""


def draw_baskets(count: int = 300, seed: int = 0) -> list[list[str]]:
    """Baskets of 2 to 4 items of one kind each."""
    draw = random.Random(seed)
    return [draw.sample(draw.choice(KINDS), draw.randint(2, 4)) for _ in range(count)]


def write_lists(path: Path, baskets: list[list[str]], key: str = "item") -> Path:
    """A line of JSON for each basket."""
    path.write_text("".join(json.dumps({key: basket}) + "\n" for basket in baskets), encoding="utf-8")
    return path


def experiment_of(
    source: Path, *, task: dict[str, Any] | None = None, data: dict[str, Any] | None = None, epochs: int = 2
) -> ExperimentConfig:
    """Vectors of 5 numbers from 16 items a row, 4 rows a batch."""
    fields = {"split": (0.8, 0.2, 0.0), "length": 16, "batch_size": 4}
    return ExperimentConfig(
        name="small",
        task=WordVectorsConfig(**{"window": 3, "negatives": 3, "shared": 0, "subsample": 0.0, **(task or {})}),
        data=BasketsConfig(**{"source": str(source), **fields, **(data or {})}),
        model=VectorsConfig(features=5),
        optimizer=SGDConfig(learning_rate=2.0),
        train=TrainConfig(epochs=epochs),
    )
