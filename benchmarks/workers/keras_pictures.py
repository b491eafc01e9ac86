"""Autoencoders and a detector of pictures in Keras 3, for either backend."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.workers.keras_fit import EndlessFit
from benchmarks.workers.picture_files import autoencoder_layers, batches, described, pixels, scaling
from benchmarks.works import Work


def autoencoder(folder: Path, shape: tuple[int, ...]) -> keras.Model:
    """[n, h, w, c] in 0 to 1 -> logits of the pixels."""
    sizes, weights, _ = described(folder)
    made, arrays = [keras.Input(shape)], []
    for place in autoencoder_layers(sizes):
        if place.kind == "pool":
            made.append(layers.MaxPooling2D(place.size, padding=place.padding))
        elif place.kind == "up":
            made.append(layers.UpSampling2D(place.size))
        else:
            kernel = weights[f"{place.name}/kernel"]
            kind = layers.Conv2DTranspose if place.kind == "transposed" else layers.Conv2D
            made.append(kind(kernel.shape[3], len(kernel), padding=place.padding, activation=place.activation))
            arrays += [kernel.swapaxes(2, 3) if place.kind == "transposed" else kernel, weights[f"{place.name}/bias"]]
    model = keras.Sequential(made)
    model.set_weights(arrays)
    return model


class Training:
    """STEPS training steps a call."""

    def __init__(self, folder: Path, *, steps: int) -> None:
        self.batches, self.folder = pixels(folder), folder
        self.model = autoencoder(folder, self.batches[0].shape[1:])
        self.parameters, self.units_per_call = self.model.count_params(), steps
        self._compile(steps)
        self.fit = EndlessFit(self.model, self._stream)

    def _compile(self, steps: int) -> None:
        how = described(self.folder).optimizer
        optimizer = keras.optimizers.Adadelta(how["learning_rate"], rho=how["decay"], epsilon=how["eps"])
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.model.compile(optimizer, loss, steps_per_execution=steps)

    def _stream(self) -> Any:
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            pictures = np.stack(self.batches)
            return tf.data.Dataset.from_tensor_slices((pictures, pictures)).repeat().prefetch(2)
        return self._endless()

    def _endless(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            for pictures in self.batches:
                yield pictures, pictures

    def run(self, calls: int) -> None:
        self.fit.run(calls)

    def losses(self, steps: int) -> list[float]:
        self._compile(1)
        values = []
        for number in range(steps):
            pictures = self.batches[number % len(self.batches)]
            self.model.reset_metrics()
            values.append(float(self.model.train_on_batch(pictures, pictures)))
        return values


def detector(folder: Path, shape: tuple[int, ...]) -> keras.Model:
    """[n, h, w, 3], 0 to 255 -> logits [n, 1]."""
    sizes, weights, _ = described(folder)
    if len(sizes["filters"]) != 1 or sizes["pool"] != 1 or sizes["places"] != "each" or sizes["bias"]:
        raise ValueError("there is a form of one convolution and a unit without bias alone: write another")
    times, less = scaling(folder)
    kernel, unit = weights["convolution_0/kernel"], weights["unit/kernel"]
    model = keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            layers.Rescaling(times.tolist(), (-less).tolist()),
            layers.Conv2D(
                kernel.shape[3],
                len(kernel),
                strides=sizes["stride"],
                padding=sizes["padding"],
                use_bias=False,
                activation="relu",
            ),
            layers.Flatten(),
            layers.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([kernel, unit.reshape(-1, 1)])
    return model


class Detection:
    """`predict_on_batch`, once a call."""

    units_per_call = 1

    def __init__(self, work: Work, folder: Path) -> None:
        del work
        self.pictures = batches(folder)[0]["inputs"]
        self.model = detector(folder, self.pictures.shape[1:])
        self.parameters = self.model.count_params()

    def outputs(self) -> np.ndarray:
        return np.asarray(self.model.predict_on_batch(self.pictures))[:, 0]

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.outputs()
