"""Encoders that are trained on hidden tokens."""

import dataclasses

import jax.numpy as jnp

from jaxseq.config import EncoderConfig
from jaxseq.models import TransformerEncoder
from jaxseq.nn.masked_language_model import MaskedLanguageModel


def build_masked_language_model(
    config: EncoderConfig, *, vocabulary_size: int, pairs: bool, dtype: str = "float32"
) -> MaskedLanguageModel:
    """The model that `config` describes; `dtype` is the type of activations.

    Args:
        pairs: tell whether the second of two texts follows the first.
    """
    options = dataclasses.asdict(config)
    body = TransformerEncoder(vocabulary_size=vocabulary_size, dtype=jnp.dtype(dtype), **options)
    return MaskedLanguageModel(body, pairs)
