"""Encoder-decoders in Keras 3, for either backend: the Transformer of its layers, and LSTMs whose decoder is a cell
that has been shown the source, as those of TensorFlow Addons were."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.workers.keras_fit import EndlessFit
from benchmarks.workers.pair_files import Weights, batches, described, sinusoids

SOURCE = ("source", "source_mask", "inputs")


class Placed(layers.Layer):
    """Vectors times the root of their width, and where they stand."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.places = sinusoids(512, features)

    def compute_output_spec(self, x: Any) -> keras.KerasTensor:
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x: Any) -> Any:
        return x * self.places.shape[1] ** 0.5 + ops.convert_to_tensor(self.places)[: ops.shape(x)[1]]


class TransformerTranslator:
    """source [b, s], source_mask, inputs [b, t] -> logits [b, t, v]; one embedding for both sides and the output."""

    def __init__(self, sizes: Mapping[str, Any], vocabulary: int) -> None:
        self.sizes, self.rate = sizes, sizes["dropout"]
        self.norms: dict[str, Any] = {}
        self.looks: dict[str, Any] = {}
        self.widen: dict[str, Any] = {}
        self.narrow: dict[str, Any] = {}
        self.table = layers.ReversibleEmbedding(vocabulary, sizes["features"])
        self.placed = Placed(sizes["features"])
        source, shown, inputs = _inputs()
        mask = ops.expand_dims(shown, 1)
        depth = sizes["layers"]
        memory = self._embed(source)
        for i in range(depth):
            memory = self._self(memory, f"encoder/block_{i}", attention_mask=mask)
            memory = self._feed(memory, f"encoder/block_{i}")
        memory = self._norm(memory, "encoder/final_norm")
        x = self._embed(inputs)
        for i in range(sizes["decoder_layers"] or depth):
            name = f"decoder/block_{i}"
            x = self._self(x, name, use_causal_mask=True)
            query = self._norm(x, f"{name}/cross_attention_norm")
            x = x + self._drop(self._look(f"{name}/cross_attention")(query, memory, attention_mask=mask))
            x = self._feed(x, name)
        logits = self.table(self._norm(x, "decoder/final_norm"), reverse=True)
        self.model = Trained([source, shown, inputs], logits)

    def _drop(self, x: Any) -> Any:
        return layers.Dropout(self.rate)(x)

    def _embed(self, tokens: Any) -> Any:
        return self._drop(self.placed(self.table(tokens)))

    def _norm(self, x: Any, name: str) -> Any:
        self.norms[name] = layers.LayerNormalization(epsilon=1e-5)
        return self.norms[name](x)

    def _look(self, name: str) -> Any:
        heads = self.sizes["heads"]
        self.looks[name] = layers.MultiHeadAttention(heads, self.sizes["features"] // heads, dropout=self.rate)
        return self.looks[name]

    def _self(self, x: Any, name: str, **mask: Any) -> Any:
        normed = self._norm(x, f"{name}/attention_norm")
        return x + self._drop(self._look(f"{name}/attention")(normed, normed, **mask))

    def _feed(self, x: Any, name: str) -> Any:
        d = self.sizes["features"]
        self.widen[name] = layers.Dense(self.sizes["mlp_ratio"] * d, activation="relu")
        self.narrow[name] = layers.Dense(d)
        inside = self.widen[name](self._norm(x, f"{name}/feed_forward_norm"))
        return x + self._drop(self.narrow[name](inside))

    def load(self, weights: Weights) -> None:
        self.table.set_weights([weights["embedding"]])
        for name, norm in self.norms.items():
            norm.set_weights([weights[f"{name}/scale"], weights[f"{name}/bias"]])
        for name, look in self.looks.items():
            if f"{name}/input/kernel" in weights:
                kernels = np.split(weights[f"{name}/input/kernel"], 3, axis=1)
                biases = np.split(weights[f"{name}/input/bias"], 3)
            else:
                parts = ("query", "key", "value")
                kernels = [weights[f"{name}/{part}/kernel"] for part in parts]
                biases = [weights[f"{name}/{part}/bias"] for part in parts]
            arrays = [array for pair in zip(kernels, biases, strict=True) for array in pair]
            arrays += [weights[f"{name}/output/kernel"], weights[f"{name}/output/bias"]]
            shapes = [tuple(variable.shape) for variable in look.weights]
            look.set_weights([array.reshape(shape) for array, shape in zip(arrays, shapes, strict=True)])
        for side, dense in (("input", self.widen), ("output", self.narrow)):
            for name, layer in dense.items():
                place = f"{name}/feed_forward/{side}"
                kernel = weights[f"{place}/kernel"]
                layer.set_weights([kernel if side == "input" else kernel.T, weights[f"{place}/bias"]])


class FedCell(layers.Layer):
    """An LSTM cell that looks at a source and is fed with what it gave for the token before."""

    def __init__(self, features: int, kind: str) -> None:
        super().__init__()
        self.features, self.state_size = features, [features] * 3
        self.cell = layers.LSTMCell(features)
        self.combine = layers.Dense(features, activation="tanh", use_bias=False)
        self.query = layers.Dense(features, use_bias=False) if kind == "additive" else None
        self.source: Any = None
        """(keys, memory, shown), to be set before the cell runs."""

    def build(self, input_shape: Any) -> None:
        d = self.features
        self.cell.build((None, input_shape[-1] + d))
        self.combine.build((None, 2 * d))
        if self.query is not None:
            self.query.build((None, d))
            self.scale = self.add_weight(shape=(d, 1), name="scale")

    def call(self, x: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        fed, h, c = states
        h, (h, c) = self.cell(ops.concatenate([x, fed], 1), [h, c])
        keys, memory, shown = self.source
        if self.query is None:
            scores = ops.matmul(keys, h[:, :, None])[:, :, 0]
        else:
            scores = ops.matmul(ops.tanh(keys + self.query(h)[:, None]), self.scale)[:, :, 0]
        weights = ops.softmax(ops.where(shown, scores, -1e9))
        gathered = ops.matmul(weights[:, None], memory)[:, 0]
        fed = self.combine(ops.concatenate([gathered, h], 1))
        return fed, [fed, h, c]


class Looking(layers.Layer):
    """embedded [b, t, e], memory [b, s, d], shown [b, s], h and c [b, d] -> attentional vectors [b, t, d]."""

    def __init__(self, features: int, kind: str) -> None:
        super().__init__()
        self.key = layers.Dense(features, use_bias=False)
        self.cell = FedCell(features, kind)
        self.rnn = layers.RNN(self.cell, return_sequences=True)

    def build(self, x_shape: Any, memory_shape: Any, shown_shape: Any, h_shape: Any, c_shape: Any) -> None:
        del shown_shape, h_shape, c_shape
        self.key.build(memory_shape)
        self.rnn.build(x_shape)

    def call(self, x: Any, memory: Any, shown: Any, h: Any, c: Any) -> Any:
        self.cell.source = (self.key(memory), memory, shown)
        return self.rnn(x, initial_state=[ops.zeros_like(h), h, c])


class AttentionTranslator:
    """source [b, s], source_mask, inputs [b, t] -> logits [b, t, v]: additive or general attention, input feeding."""

    def __init__(self, sizes: Mapping[str, Any], vocabularies: tuple[int | None, int]) -> None:
        d, width = sizes["features"], sizes["embedding"]
        self.embedding = layers.Embedding(vocabularies[1], width)
        own = vocabularies[0] is not None
        self.source_embedding = layers.Embedding(vocabularies[0], width) if own else self.embedding
        lstm = layers.LSTM(d // 2, return_sequences=True, return_state=True)
        self.encoder = layers.Bidirectional(lstm)
        self.looking = Looking(d, sizes["attention"])
        self.head = layers.Dense(vocabularies[1])
        source, shown, inputs = _inputs()
        outer, inner = layers.Dropout(sizes["output_dropout"]), layers.Dropout(sizes["input_dropout"])
        memory, *ends = self.encoder(inner(self.source_embedding(source)), mask=shown)
        h, c = (ops.concatenate([ends[i], ends[i + 2]], 1) for i in (0, 1))
        features = self.looking(inner(self.embedding(inputs)), outer(memory), shown, h, c)
        self.model = Trained([source, shown, inputs], self.head(outer(features)))

    def load(self, weights: Weights) -> None:
        self.embedding.set_weights([weights["embedding"]])
        if self.source_embedding is not self.embedding:
            self.source_embedding.set_weights([weights["source_embedding"]])
        cell = self.looking.cell
        for layer, name in (
            (self.encoder.forward_layer, "encoder/layer_0/forward"),
            (self.encoder.backward_layer, "encoder/layer_0/backward"),
            (cell.cell, "decoder/layer_0"),
        ):
            layer.set_weights([weights[f"{name}/{part}"] for part in ("input_kernel", "recurrent_kernel", "bias")])
        self.looking.key.set_weights([weights["decoder/look/key_kernel"]])
        cell.combine.set_weights([weights["decoder/combine_kernel"]])
        if cell.query is not None:
            cell.query.set_weights([weights["decoder/look/query_kernel"]])
            cell.scale.assign(weights["decoder/look/scale"][:, None])
        self.head.set_weights([weights["head/kernel"], weights["head/bias"]])


class Trained(keras.Model):
    """With the cross-entropy of tokens that count, each with a share for all others."""

    smoothing = 0.0

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        likely = ops.log_softmax(y_pred)
        own = ops.take_along_axis(likely, y[..., None], axis=-1)[..., 0]
        losses = -(1 - self.smoothing) * own - self.smoothing * ops.mean(likely, axis=-1)
        return ops.sum(losses * sample_weight) / ops.sum(sample_weight)


def _inputs() -> tuple[Any, Any, Any]:
    kinds = zip(SOURCE, ("int32", "bool", "int32"), strict=True)
    source, shown, inputs = (keras.Input((None,), dtype=kind, name=name) for name, kind in kinds)
    return source, shown, inputs


def translator(folder: Path, *, dropout: bool = True) -> TransformerTranslator | AttentionTranslator:
    """The model of a work's folder, with its weights."""
    sizes, weights, vocabularies, smoothing = described(folder)
    if not dropout:
        sizes = {name: 0.0 if name.endswith("dropout") else value for name, value in sizes.items()}
    if sizes["kind"] == "seq2seq_transformer":
        made = TransformerTranslator(sizes, vocabularies[1])
    else:
        made = AttentionTranslator(sizes, vocabularies)
    made.load(weights)
    made.model.smoothing = smoothing
    return made


class Training:
    """Forward, backward and update on each batch of a lap once a call."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.batches = folder, []
        for batch in batches(folder):
            targets = np.where(batch["mask"], batch["targets"], 0).astype(np.int32)
            self.batches.append(({name: batch[name] for name in SOURCE}, targets, batch["mask"].astype(np.float32)))
        self.model = _compiled(translator(folder))
        self.parameters = self.model.count_params()
        self.units_per_call = len(self.batches)
        self.fit = EndlessFit(self.model, self._stream)

    def _stream(self) -> Any:
        if keras.backend.backend() != "tensorflow":
            return self._endless()
        import tensorflow as tf

        def spec(array: np.ndarray) -> Any:
            return tf.TensorSpec((None, None), array.dtype)

        x, targets, mask = self.batches[0]
        signature = ({name: spec(array) for name, array in x.items()}, spec(targets), spec(mask))
        return tf.data.Dataset.from_generator(self._endless, output_signature=signature).prefetch(2)

    def _endless(self) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]:
        while True:
            yield from self.batches

    def run(self, calls: int) -> None:
        self.fit.run(calls * len(self.batches))

    def losses(self, steps: int) -> list[float]:
        """Without dropout."""
        model, values = _compiled(translator(self.folder, dropout=False)), []
        for number in range(steps):
            x, targets, mask = self.batches[number % len(self.batches)]
            model.reset_metrics()
            values.append(float(model.train_on_batch(x, targets, sample_weight=mask)))
        return values


def _compiled(made: TransformerTranslator | AttentionTranslator) -> keras.Model:
    made.model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-8))
    return made.model
