"""Language models so small that a test can look at every number, and texts for them."""

from functools import cache
from typing import Any, Literal

import jax
import numpy as np
import pytest

from jaxseq.config import RNNConfig, TransformerConfig
from jaxseq.data import Corpus
from jaxseq.models import Recurrent, Transformer
from jaxseq.nn import BareHead, LanguageModel, TiedHead, VocabularyHead
from jaxseq.tasks.language.language_model import build_model, init_params

SYMBOLS = 7
MODELS = {
    "lstm": RNNConfig(features=5, embedding=3),
    "transformer": TransformerConfig(features=8, heads=2, layers=1, context=100),
}
every_model = pytest.mark.parametrize("config", MODELS.values(), ids=MODELS)


def recurrent_model(
    *, predict: Literal["every", "last"] = "every", size: int = SYMBOLS, **fields: Any
) -> LanguageModel:
    return LanguageModel(Recurrent(vocabulary_size=size, **fields), VocabularyHead(size), predict=predict)


def transformer_model(*, tied: bool = True, size: int = SYMBOLS, **fields: Any) -> LanguageModel:
    return LanguageModel(Transformer(vocabulary_size=size, **fields), (TiedHead if tied else BareHead)(size))


def corpus_of(size: int, starts=(0,), *, seed: int = 0) -> Corpus:
    ids = np.random.default_rng(seed).integers(0, SYMBOLS, size).astype(np.int32)
    return Corpus(ids, np.array(starts, np.int64))


@cache
def model_and_params(config):
    model = build_model(config, vocabulary_size=SYMBOLS)
    # Larger than fresh ones, so that the carry counts.
    return model, jax.tree.map(lambda leaf: leaf * 3, init_params(model, seed=1))
