"""Reviews of a few words, and a small classifier of each family for them."""

import csv

import numpy as np
import pytest

from jaxseq.config import (
    AdamConfig,
    BagConfig,
    ClassificationConfig,
    EncoderConfig,
    ExperimentConfig,
    LabelledConfig,
    NBSVMConfig,
    RNNConfig,
    TrainConfig,
)

GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "dull", "sad")
MODELS = {
    "bag": (BagConfig(features=8), ClassificationConfig(hidden=4)),
    "gru": (RNNConfig(cell="gru", features=8, embedding=4, layers=2), ClassificationConfig(pooling=("last",))),
    "birnn": (
        RNNConfig(cell="lstm", features=8, embedding=4, bidirectional=True),
        ClassificationConfig(pooling=("max", "mean")),
    ),
    "nbsvm": (NBSVMConfig(), ClassificationConfig(pooling=("sum",), head="bias")),
    "encoder": (EncoderConfig(features=8, layers=1, heads=2), ClassificationConfig(pooling=("attention",))),
}
every_model = pytest.mark.parametrize("name", MODELS)


def review(rng, label: str) -> str:
    words = [*["the", "film", "was", "so"][: rng.integers(0, 5)], str(rng.choice(GOOD if label == "pos" else BAD))]
    rng.shuffle(words)
    return " ".join(words)


def write_table(path, count: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(count):
            label = "pos" if index % 2 else "neg"
            writer.writerow([review(rng, label), label])


def experiment(tables, name: str = "bag", **data) -> ExperimentConfig:
    model, task = MODELS[name]
    return ExperimentConfig(
        name=name,
        task=task,
        data=LabelledConfig(source=str(tables), **{"length": 8, "batch_size": 16, **data}),
        model=model,
        optimizer=AdamConfig(learning_rate=0.02),
        train=TrainConfig(epochs=5, log_every=10, devices=1),
    )
