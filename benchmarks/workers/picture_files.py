"""What the peers of works with pictures read in a work's folder, where `benchmarks.pictures` has written it."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from benchmarks.workers.arrays import read_arrays
from benchmarks.workers.pair_files import Weights


class Described(NamedTuple):
    """A model."""

    sizes: dict[str, Any]
    """The section `model` of its configuration."""
    weights: Weights
    """By the paths of jaxseq's parameters."""
    optimizer: dict[str, Any]
    """The section of that name."""


def described(folder: Path) -> Described:
    """The model of a work's folder."""
    experiment, weights = json.loads((folder / "experiment.json").read_text()), read_arrays(folder / "weights.npz")
    return Described(experiment["model"], weights, experiment["optimizer"])


def batches(folder: Path) -> list[dict[str, np.ndarray]]:
    """Those of a lap, by the names of their fields."""
    saved = read_arrays(folder / "batches.npz")
    names = [name.removesuffix("_0") for name in saved if name.endswith("_0")]
    return [{name: saved[f"{name}_{i}"] for name in names} for i in range(len(saved) // len(names))]


def pixels(folder: Path) -> list[np.ndarray]:
    """[n, h, w, c] float32 in 0 to 1 for each batch of a lap."""
    return [batch["pictures"].astype(np.float32) / 255 for batch in batches(folder)]


def scaling(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """What a pixel is multiplied by and what is taken off then, of each channel."""
    form = json.loads((folder / "pictures.json").read_text())
    mean, deviation = (np.array(form[name], np.float32) for name in ("mean", "deviation"))
    return 1 / (255 * deviation), mean / deviation


def scaled(folder: Path, pictures: np.ndarray) -> np.ndarray:
    """Pictures as a model reads them, float32."""
    times, less = scaling(folder)
    return pictures.astype(np.float32) * times - less


_CAPTIONER = {
    "cell": "gru",
    "layers": 1,
    "attention": "additive",
    "use_scale": True,
    "input_feeding": False,
    "positions": "learned",
    "tie_embedding": False,
    "picture_dropout": 0.0,
    "input_dropout": 0.0,
    "dropout": 0.0,
    "output_dropout": 0.0,
}
"""What peers have a form of."""


def captioner(folder: Path) -> tuple[dict[str, Any], Weights]:
    """Sizes and weights of a captioner."""
    sizes, weights, _ = described(folder)
    if strange := [name for name, value in _CAPTIONER.items() if sizes[name] != value]:
        raise ValueError(f"model.{strange[0]} is {sizes[strange[0]]}: there is no form of that, write one")
    return sizes, weights


class Place(NamedTuple):
    """A layer of an autoencoder."""

    kind: Literal["convolution", "transposed", "pool", "up"]
    name: str = ""
    """Path of its parameters."""
    padding: str = ""
    activation: Literal["relu", "linear"] = "relu"
    size: int = 0
    """Of a pooling's window, or what an upsampling enlarges by."""


def autoencoder_layers(sizes: dict[str, Any]) -> list[Place]:
    """The layers of an autoencoder, one after the other."""
    if sizes["upsampling"] != "nearest":
        raise ValueError(f"there is no form of {sizes['upsampling']} upsampling: write one")
    depth, layers = len(sizes["filters"]), []
    for i in range(depth):
        layers.append(Place("convolution", f"encoder/conv_{i}", sizes["padding"]))
        if i < sizes["poolings"]:
            layers.append(Place("pool", padding=sizes["pool_padding"], size=sizes["factor"]))
    kind = "transposed" if sizes["transposed"] else "convolution"
    paddings = list(sizes["decoder_padding"]) * (depth if len(sizes["decoder_padding"]) == 1 else 1)
    for i, padding in enumerate(paddings):
        layers.append(Place(kind, f"decoder/conv_{i}", padding))
        if i < sizes["upsamplings"]:
            layers.append(Place("up", size=sizes["factor"]))
    return [*layers, Place(kind, f"decoder/conv_{depth}", "same", "linear")]
