"""Small pictures in the files of MNIST, and small autoencoders for them."""

import struct
from pathlib import Path

import numpy as np

from jaxseq.config import (
    AdadeltaConfig,
    AutoencoderConfig,
    AutoencodingConfig,
    DigitsConfig,
    ExperimentConfig,
    TrainConfig,
)

SIDE = 8
MODELS = {
    "nearest": AutoencoderConfig(filters=(4, 2), poolings=2, upsamplings=2, decoder_padding=("same",)),
    "transposed": AutoencoderConfig(
        filters=(4, 2),
        padding="valid",
        poolings=1,
        transposed=True,
        pool_padding="valid",
        upsamplings=1,
        decoder_padding=("valid",),
    ),
    "unpool": AutoencoderConfig(
        filters=(4, 2), poolings=2, upsampling="unpool", upsamplings=2, decoder_padding=("same",)
    ),
}


def digits(count: int, *, seed: int = 0, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Bright squares of one of two sizes somewhere on black [n, h, w], and which size it is [n]."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count).astype(np.uint8)
    pictures = np.zeros((count, side, side), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = random.integers(0, side - 3, 2)
        picture[row : row + 2 + label, column : column + 2 + label] = random.integers(200, 256)
    return pictures, labels


def write_digits(folder: Path, *, train: int = 90, test: int = 20, side: int = SIDE) -> Path:
    """A folder with the four files."""
    folder.mkdir(exist_ok=True)
    for seed, (name, count) in enumerate({"train": train, "t10k": test}.items()):
        for what, array in zip(("images-idx3", "labels-idx1"), digits(count, seed=seed, side=side), strict=True):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{name}-{what}-ubyte").write_bytes(head + array.tobytes())
    return folder


def experiment(folder: Path, form: str = "nearest", *, noise: float = 0.0, **data) -> ExperimentConfig:
    return ExperimentConfig(
        name="small",
        task=AutoencodingConfig(noise=noise, examples=3),
        data=DigitsConfig(source=str(folder), **{"validation": 20, "batch_size": 16, **data}),
        model=MODELS[form],
        optimizer=AdadeltaConfig(decay=0.9, eps=1e-6),
        train=TrainConfig(epochs=2, log_every=2, devices=1),
    )
