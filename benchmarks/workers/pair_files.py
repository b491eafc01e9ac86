"""What the peers of works with encoder-decoders read in a work's folder, where `benchmarks.pairs` has written it, and
what of their models is plain numbers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.workers.arrays import read_arrays

Weights = Mapping[str, np.ndarray]


class Described(NamedTuple):
    """A model, and how it is trained."""

    sizes: dict[str, Any]
    """The section `model` of its configuration."""
    weights: Weights
    """By the paths of jaxseq's parameters."""
    vocabularies: tuple[int | None, int]
    """Of source and target; None for a source that has the target's embedding."""
    smoothing: float
    """Of targets."""


def described(folder: Path) -> Described:
    """The model of a work's folder."""
    experiment, weights = json.loads((folder / "experiment.json").read_text()), read_arrays(folder / "weights.npz")
    own = len(weights["source_embedding"]) if "source_embedding" in weights else None
    sizes, smoothing = experiment["model"], experiment["task"]["label_smoothing"]
    if sizes["kind"] == "seq2seq_transformer" and not (sizes["norm"] == "pre" and sizes["tie_embedding"]):
        raise ValueError("there is a form of pre-norm Transformers with one embedding alone: write another")
    return Described(sizes, weights, (own, len(weights["embedding"])), smoothing)


def batches(folder: Path) -> list[dict[str, np.ndarray]]:
    """Those of a lap: source, source_mask [b, s]; inputs, targets, mask [b, t]."""
    saved = read_arrays(folder / "batches.npz")
    names = ("source", "source_mask", "inputs", "targets", "mask")
    return [{name: saved[f"{name}_{i}"] for name in names} for i in range(len(saved) // len(names))]


def sinusoids(length: int, features: int) -> np.ndarray:
    """[length, features] float32: sines in the first half of a vector and cosines in the second, as jaxseq has them."""
    half = features // 2
    angles = np.arange(length)[:, None] * 10_000.0 ** (-np.arange(half) / half)
    return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)
