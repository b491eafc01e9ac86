"""A captioner in Keras 3, for either backend: its layers for convolutions, the GRU and additive attention."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.workers.keras_fit import EndlessFit
from benchmarks.workers.keras_pairs import Trained
from benchmarks.workers.picture_files import batches, captioner, scaled


class Placed(layers.Layer):
    """Features of cells [b, s, d], and where these lie."""

    def build(self, shape: Any) -> None:
        self.positions = self.add_weight(shape=shape[1:], name="positions")

    def call(self, x: Any) -> Any:
        return x + self.positions


def captions(folder: Path, shape: tuple[int, ...]) -> keras.Model:
    """pictures [b, h, w, c], inputs [b, t] -> logits [b, t, v]."""
    sizes, weights = captioner(folder)
    d, f = sizes["filters"][-1], sizes["features"]
    pictures, inputs = keras.Input(shape, name="pictures"), keras.Input((None,), dtype="int32", name="inputs")
    x, given = pictures, []

    def loaded(layer: layers.Layer, *arrays: np.ndarray) -> layers.Layer:
        given.append((layer, arrays))
        return layer

    for i, features in enumerate(sizes["filters"]):
        kernel, bias = (weights[f"encoder/stack/conv_{i}/{part}"] for part in ("kernel", "bias"))
        x = loaded(layers.Conv2D(features, len(kernel), padding="same", activation="relu"), kernel, bias)(x)
        x = layers.MaxPooling2D(2)(x) if i < sizes["poolings"] else x
    grid = loaded(Placed(), weights["encoder/positions"])(layers.Reshape((-1, d))(x))
    start = loaded(
        layers.Dense(f, activation="tanh"), *(weights[f"encoder/start_{part}"] for part in ("kernel", "bias"))
    )(layers.GlobalAveragePooling1D()(grid))
    embedded = loaded(layers.Embedding(len(weights["embedding"]), sizes["embedding"]), weights["embedding"])(inputs)
    parts = [
        weights[f"decoder/layer_0/{part}"] for part in ("input_kernel", "recurrent_kernel", "bias", "recurrent_bias")
    ]
    kernel, recurrent, *biases = (_gates(part, f) for part in parts)
    gru = loaded(layers.GRU(f, return_sequences=True), kernel, recurrent, np.stack(biases))
    h = gru(embedded, initial_state=start)
    key, query = (
        loaded(layers.Dense(f, use_bias=False), weights[f"decoder/look/{part}_kernel"])(x)
        for part, x in (("key", grid), ("query", h))
    )
    look = loaded(layers.AdditiveAttention(), weights["decoder/look/scale"])
    both = layers.Concatenate()([look([query, grid, key]), h])
    features = loaded(layers.Dense(f, activation="tanh", use_bias=False), weights["decoder/combine_kernel"])(both)
    head = loaded(layers.Dense(len(weights["embedding"])), weights["head/kernel"], weights["head/bias"])
    model = Trained([pictures, inputs], head(features))
    for layer, arrays in given:
        layer.set_weights(list(arrays))
    return model


def _gates(array: np.ndarray, width: int) -> np.ndarray:
    """Update before reset, as Keras has them."""
    reset, update, candidate = (array[..., i * width : (i + 1) * width] for i in range(3))
    return np.concatenate([update, reset, candidate], -1)


class Training:
    """Forward, backward and update on each batch of a lap once a call."""

    def __init__(self, folder: Path) -> None:
        self.batches = []
        for batch in batches(folder):
            given = {"pictures": scaled(folder, batch["pictures"]), "inputs": batch["inputs"]}
            self.batches.append((given, batch["targets"], batch["mask"].astype(np.float32)))
        self.model = captions(folder, self.batches[0][0]["pictures"].shape[1:])
        self.model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-8))
        self.parameters, self.units_per_call = self.model.count_params(), len(self.batches)
        self.fit = EndlessFit(self.model, self._stream)

    def _stream(self) -> Any:
        if keras.backend.backend() != "tensorflow":
            return self._endless()
        import tensorflow as tf

        def spec(array: np.ndarray) -> Any:
            shape = array.shape if array.ndim == 4 else (len(array), None)
            return tf.TensorSpec(shape, array.dtype)

        given, targets, mask = self.batches[0]
        signature = ({name: spec(array) for name, array in given.items()}, spec(targets), spec(mask))
        return tf.data.Dataset.from_generator(self._endless, output_signature=signature).prefetch(2)

    def _endless(self) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]:
        while True:
            yield from self.batches

    def run(self, calls: int) -> None:
        self.fit.run(calls * len(self.batches))

    def losses(self, steps: int) -> list[float]:
        values = []
        for number in range(steps):
            given, targets, mask = self.batches[number % len(self.batches)]
            self.model.reset_metrics()
            values.append(float(self.model.train_on_batch(given, targets, sample_weight=mask)))
        return values
