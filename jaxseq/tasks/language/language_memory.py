"""What language models hold in memory, so that what cannot fit is refused before it begins."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import ModelConfig, TransformerConfig
from jaxseq.memory import Part, size_of
from jaxseq.models.ngram import NGram
from jaxseq.nn.language_model import LanguageModel

_NUMBER = np.dtype(np.float32).itemsize
_TOKEN = 2 * np.dtype(np.int32).itemsize + 2 * np.dtype(bool).itemsize
"""Bytes of a token in a batch: input, target, mask and reset."""
_TRANSCRIPT = 600
"""Bytes of a transcript without text in CPython: the object, its decoder and its filter."""
_COUNTED = 72
"""Bytes of a token, for each order, while n-grams are counted: measured with 5-grams of 2 million words."""
_CHUNK = 64
"""Tokens of a sample that `jaxseq.decoding.stream` makes at a time."""


def training_parts(
    model: LanguageModel | NGram, config: ModelConfig, *, rows: int, length: int, carried: bool, batches: int
) -> list[Part]:
    """Outputs of layers, carry, weights of attention, and `batches` batches of [rows, length]."""
    section: Any = config
    smaller = "lower data.batch_size, data.length or the size of the model"
    outputs = getattr(section, "layers", 1) * rows * length * section.features * model.dtype.itemsize
    parts = [Part("the outputs of the layers", outputs, smaller)]
    if carried:
        lower = "lower data.batch_size or the size of the model"
        if isinstance(section, TransformerConfig):
            lower = "lower model.context, data.batch_size or the size of the model"
        parts.append(Part("the carry", _carry_size(model, rows), lower))
    if isinstance(section, TransformerConfig):
        keys = length + (section.context if carried else 0)
        scores = section.layers * rows * section.heads * length * keys * _NUMBER
        lower = f"lower data.length{', model.context' if carried else ''} or data.batch_size"
        parts.append(Part("the weights of attention", scores, lower))
    lower = "lower train.steps_per_dispatch" if batches > 1 else smaller
    return [*parts, Part(f"{batches:,} batches for one dispatch", batches * rows * length * _TOKEN, lower)]


def counting_parts(model: NGram, *, tokens: int) -> list[Part]:
    """What is held while the n-grams of `tokens` tokens are counted: for each order their keys, sorted, and back."""
    return [
        Part("the n-grams", model.order * tokens * _COUNTED, "lower model.order, or take a shorter text", on_host=True)
    ]


def evaluation_parts(model: LanguageModel | NGram, *, rows: int, length: int) -> list[Part]:
    """What an evaluation of `rows` rows holds."""
    return [
        Part("parameters", _params_size(model), "take a smaller model"),
        Part("the carry", _carry_size(model, rows), "lower the number of rows"),
        Part("a batch", rows * length * _TOKEN, "lower the number of rows"),
    ]


def sampling_parts(model: LanguageModel | NGram, *, rows: int, length: int) -> list[Part]:
    """What is held while `rows` samples of `length` tokens are made, some tokens of each in one call.

    A character of the text is a byte or more, and two tokens at most on average.
    """
    fewer = "sample fewer at once"
    return [
        Part("parameters", _params_size(model), "take a smaller model"),
        Part("the carry", _carry_size(model, rows), f"{fewer}, or take a model with a smaller carry"),
        Part("logits", rows * model.vocabulary_size * _NUMBER, fewer),
        Part("tokens and what they are drawn with", 2 * _NUMBER * rows * min(_CHUNK, length), fewer),
        Part("the texts", rows * (_TRANSCRIPT + length // 2), f"make the sample shorter, or {fewer}", on_host=True),
    ]


def _params_size(model: LanguageModel | NGram) -> int:
    return size_of(jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32)))["params"])


def _carry_size(model: LanguageModel | NGram, rows: int) -> int:
    return size_of(jax.eval_shape(lambda: model.initial_carry(rows)))
