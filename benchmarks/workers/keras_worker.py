"""Keras 3 on TensorFlow or on JAX: the backend is the one that KERAS_BACKEND names.

Training is one endless `fit`, ten steps an execution, over batches prepared beforehand, compiled as Keras chooses; it
is timed between two callbacks, so that what a `fit` begins and ends with lies outside the clock. On TensorFlow the
carry is kept by stateful layers; on JAX `stateful=True` has no effect in `fit`, so every batch starts from zero.
Sampling is one compiled step in a Python loop, the states handed from call to call: `predict`, and stateful layers
called eagerly, are far slower.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.workers import keras_captions, keras_models, keras_pairs, keras_pictures, prediction
from benchmarks.workers.arrays import read_arrays
from benchmarks.workers.keras_fit import EndlessFit
from benchmarks.workers.serve import Job, serve
from benchmarks.works import Work

BACKEND = keras.backend.backend()
STEPS = 10


def _stream(inputs: np.ndarray, targets: np.ndarray) -> Any:
    """The batches in an endless circle, in the form the backend takes best."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices((inputs, targets)).repeat().prefetch(2)

    def generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for i in itertools.cycle(range(len(inputs))):
            yield inputs[i], targets[i]

    return generator()


class Training:
    """STEPS training steps a call."""

    units_per_call = STEPS

    def __init__(self, work: Work, folder: Path) -> None:
        assert work.model is not None
        self.inputs, self.targets = (np.load(folder / f"{name}.npy") for name in ("inputs", "targets"))
        if work.model.family == "transformer":
            self.model = keras_models.transformer(work.model, batch=work.batch, time=work.time)
        elif work.model.label:
            self.model = keras_models.classifier(work.model, batch=work.batch, time=work.time)
        else:
            stateful = work.carried and BACKEND == "tensorflow"
            self.model = keras_models.recurrent(work.model, batch=work.batch, time=work.time, stateful=stateful)
        self.label, self.sgd = work.model.label, work.optimizer == "sgd"
        self.parameters = sum(int(np.prod(w.shape)) for w in self.model.trainable_weights)
        self._compile(STEPS)
        self.fit = EndlessFit(self.model, partial(_stream, self.inputs, self.targets))

    def _compile(self, steps: int) -> None:
        kind = keras.losses.BinaryCrossentropy if self.label else keras.losses.SparseCategoricalCrossentropy
        loss = kind(from_logits=True)
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=0.25) if self.sgd else keras.optimizers.Adam(1e-3)
        self.model.compile(optimizer, loss, steps_per_execution=steps)

    def run(self, calls: int) -> None:
        self.fit.run(calls)

    def losses(self, steps: int) -> list[float]:
        self._compile(1)
        values = []
        for i in range(steps):
            k = i % len(self.inputs)
            self.model.reset_metrics()
            values.append(float(self.model.train_on_batch(self.inputs[k], self.targets[k])))
        return values


def _tensorflow_sampler(model: keras.Model, states: list[np.ndarray]) -> Callable[[int], None]:
    import tensorflow as tf

    @tf.function
    def step(tokens: Any, carry: Any) -> tuple[Any, Any]:
        logits, *carry = model([tokens, *carry], training=False)
        return tf.random.categorical(logits, 1, dtype=tf.int32), carry

    def sample(length: int) -> None:
        tokens = tf.zeros((states[0].shape[0], 1), tf.int32)
        carry = [tf.constant(state) for state in states]
        drawn = []
        for _ in range(length):
            tokens, carry = step(tokens, carry)
            drawn.append(tokens)
        tf.concat(drawn, 1).numpy()

    return sample


def _jax_sampler(model: keras.Model, states: list[np.ndarray]) -> Callable[[int], None]:
    import jax
    import jax.numpy as jnp

    weights, others = [[v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables)]

    @jax.jit
    def step(weights: Any, others: Any, tokens: Any, carry: Any, key: Any) -> tuple[Any, Any, Any]:
        key, now = jax.random.split(key)
        (logits, *carry), _ = model.stateless_call(weights, others, [tokens, *carry], training=False)
        return jax.random.categorical(now, logits)[:, None], carry, key

    def sample(length: int) -> None:
        tokens, key = jnp.zeros((states[0].shape[0], 1), jnp.int32), jax.random.key(0)
        carry = [jnp.asarray(state) for state in states]
        drawn = []
        for _ in range(length):
            tokens, carry, key = step(weights, others, tokens, carry, key)
            drawn.append(tokens)
        np.asarray(jnp.concatenate(drawn, 1))

    return sample


class Generation:
    """One call samples `time` characters for each of `batch` texts."""

    units_per_call = 1

    def __init__(self, work: Work) -> None:
        assert work.model is not None
        model = keras_models.stepper(work.model, batch=work.batch)
        self.parameters = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        states = [np.zeros(x.shape, np.float32) for x in model.inputs[1:]]
        self.sample = (_tensorflow_sampler if BACKEND == "tensorflow" else _jax_sampler)(model, states)
        self.length = work.time

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.sample(self.length)


class _Batches(keras.utils.PyDataset):
    def __init__(self, batches: list[np.ndarray]) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self.batches[index],)


class Prediction(prediction.Prediction):
    """`model.predict` of batches of texts that are about as long, padding masked."""

    def __init__(self, work: Work, folder: Path) -> None:
        super().__init__(work, folder)
        assert work.model is not None
        self.model = keras_models.predictor(work.model, read_arrays(folder / "weights.npz"))
        self.parameters = self.model.count_params()

    def predict(self, batches: list[np.ndarray]) -> Sequence[np.ndarray]:
        return [self.model.predict(_Batches(batches), verbose=0)[:, 0]]


class Encoding:
    """TextVectorization by characters, its vocabulary adapted beforehand, on the whole text as lines."""

    def __init__(self, folder: Path) -> None:
        text = (folder / "text.txt").read_text(encoding="utf-8")
        self.units_per_call = len(text.encode()) / 1e6
        self.lines = text.splitlines(keepends=True)
        self.layer = layers.TextVectorization(standardize=None, split="character", ragged=True)
        self.layer.adapt(self.lines)

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.layer(self.lines).flat_values.numpy()


class Windows:
    """timeseries_dataset_from_array, shuffled; inputs and targets are sliced from windows one longer."""

    def __init__(self, work: Work, folder: Path) -> None:
        ids = np.load(folder / "ids.npy")
        self.batches = 1000
        self.units_per_call = self.batches * work.batch * work.time / 1e6
        dataset = keras.utils.timeseries_dataset_from_array(
            ids, None, sequence_length=work.time + 1, batch_size=work.batch, shuffle=True
        )
        self.dataset = dataset.map(lambda w: (w[:, :-1], w[:, 1:]))

    def run(self, calls: int) -> None:
        for _ in range(calls):
            for _ in self.dataset.take(self.batches):
                pass


def build(work: Work, folder: Path, device: str) -> Job:
    if work.pictures:
        if work.kind == "detect":
            return keras_pictures.Detection(work, folder)
        captions = work.experiment == "digit_scenes"
        return keras_captions.Training(folder) if captions else keras_pictures.Training(folder, steps=STEPS)
    if work.kind == "train":
        return keras_pairs.Training(folder) if work.experiment else Training(work, folder)
    if work.kind == "generate":
        return Generation(work)
    if work.kind == "predict":
        return Prediction(work, folder)
    return Encoding(folder) if work.kind == "encode" else Windows(work, folder)


def device_peak() -> int:
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] if tf.config.list_physical_devices("GPU") else 0
    import jax

    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


if __name__ == "__main__":
    serve(build, packages=("keras", BACKEND), device_peak=device_peak)
