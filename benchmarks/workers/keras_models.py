"""The works' models in Keras 3, for either backend."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import layers, ops

from benchmarks.works import Model


def _recurrent_layers(model: Model, **options: float) -> list[layers.Layer]:
    kind = layers.LSTM if model.family == "lstm" else layers.GRU
    return [kind(model.features, return_sequences=True, **options) for _ in range(model.layers)]


def _ends(model: Model, tokens: keras.KerasTensor) -> tuple[keras.KerasTensor, Callable]:
    """What the first recurrent layer sees of tokens, and what makes logits of the last one's features."""
    if model.tied:
        table = layers.ReversibleEmbedding(model.vocabulary, model.embedding)
        return table(tokens), lambda x: table(x, reverse=True)
    head = layers.Dense(model.vocabulary)
    if model.embedding:
        return layers.Embedding(model.vocabulary, model.embedding)(tokens), head
    return ops.one_hot(tokens, model.vocabulary), head


def recurrent(model: Model, *, batch: int, time: int, stateful: bool) -> keras.Model:
    """tokens [batch, time] -> logits [batch, time, v]."""
    tokens = keras.Input((time,), batch_size=batch, dtype="int32")
    x, head = _ends(model, tokens)
    for layer in _recurrent_layers(model, stateful=stateful, dropout=model.dropout):
        x = layer(x)
    return keras.Model(tokens, head(x))


def classifier(model: Model, *, batch: int | None = None, time: int | None = None) -> keras.Model:
    """tokens [batch, time], 0 behind the text -> logits [batch, 1]; padding is masked."""
    tokens = keras.Input((time,), batch_size=batch, dtype="int32")
    x = layers.Embedding(model.vocabulary, model.embedding, mask_zero=True)(tokens)
    kind = layers.LSTM if model.family == "lstm" else layers.GRU
    for i in range(model.layers):
        layer = kind(model.features, return_sequences=i < model.layers - 1)
        x = (layers.Bidirectional(layer) if model.directions == 2 else layer)(x)
    return keras.Model(tokens, layers.Dense(1)(x))


def predictor(model: Model, weights: Mapping[str, np.ndarray]) -> keras.Model:
    """tokens [b, t] of any b and t -> probabilities [b, 1], by the parameters of `benchmarks.data.weights`."""
    logits = classifier(model)
    logits.set_weights(list(weights.values()))
    return keras.Model(logits.inputs, ops.sigmoid(logits.outputs[0]))


def stepper(model: Model, *, batch: int) -> keras.Model:
    """[tokens [batch, 1], *states] -> [logits [batch, v], *states]: the model of sampling, its carry made explicit."""
    tokens = keras.Input((1,), batch_size=batch, dtype="int32")
    x, head = _ends(model, tokens)
    before, after = [], []
    for layer in _recurrent_layers(model, return_state=True):
        states = [keras.Input((model.features,), batch_size=batch) for _ in range(2 if model.family == "lstm" else 1)]
        x, *new = layer(x, initial_state=states)
        before += states
        after += new
    return keras.Model([tokens, *before], [head(x)[:, 0], *after])


class _Position(layers.Layer):
    """Adds a learned vector for each position."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.vectors = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x):
        return x + self.vectors


def _block(x, model: Model):
    normal = keras.initializers.RandomNormal(stddev=0.02)
    attention = layers.MultiHeadAttention(
        model.heads, model.features // model.heads, use_bias=False, dropout=model.dropout, kernel_initializer=normal
    )
    y = layers.LayerNormalization(epsilon=1e-5, center=False)(x)
    x = x + layers.Dropout(model.dropout)(attention(y, y, use_causal_mask=True))
    y = layers.LayerNormalization(epsilon=1e-5, center=False)(x)
    y = layers.Dense(4 * model.features, use_bias=False, kernel_initializer=normal)(y)
    y = layers.Dense(model.features, use_bias=False, kernel_initializer=normal)(layers.Activation("gelu")(y))
    return x + layers.Dropout(model.dropout)(y)


def transformer(model: Model, *, batch: int, time: int) -> keras.Model:
    """tokens [batch, time] -> logits [batch, time, v], the output layer tied to the embedding."""
    tokens = keras.Input((time,), batch_size=batch, dtype="int32")
    normal = keras.initializers.RandomNormal(stddev=0.02)
    embedding = layers.ReversibleEmbedding(model.vocabulary, model.features, embeddings_initializer=normal)
    x = layers.Dropout(model.dropout)(_Position()(embedding(tokens)))
    for _ in range(model.layers):
        x = _block(x, model)
    x = layers.LayerNormalization(epsilon=1e-5, center=False)(x)
    return keras.Model(tokens, embedding(x, reverse=True))
