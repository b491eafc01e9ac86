"""Word vectors that the embedding of a classifier starts with."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseq.config import ClassificationConfig, ExperimentConfig, RNNConfig
from jaxseq.interop.word_vectors import WordTable, WordVectors, read_word_vectors, table_for
from jaxseq.tasks.task import Variables
from jaxseq.text.tokenizers import Tokenizer


def starting_vectors(
    task: ClassificationConfig, experiment: ExperimentConfig, *, words: set[str] | None
) -> WordVectors:
    """Those of `words` in the file that is given, or of all that it has.

    Raises:
        InputError: the file cannot be read, or its vectors have another width than the embedding.
    """
    name, width = _embedding(experiment)
    return read_word_vectors(task.vectors, features=width, words=words, field=f"model.{name}")


def starting_table(vectors: WordVectors, experiment: ExperimentConfig, tokenizer: Tokenizer) -> WordTable:
    """The embedding of the vocabulary; words without a vector are drawn by the seed of the training."""
    _, width = _embedding(experiment)
    return table_for(tokenizer.vocabulary.symbols, vectors, features=width, seed=experiment.train.seed)


def with_table(variables: Variables, table: np.ndarray) -> Variables:
    """The variables of a classifier with `table` [v, d] as the first rows of its embedding."""
    params = dict(variables["params"])
    body, name = params["body"], "embedding"
    own = body[name]
    if isinstance(own, Mapping):
        own = {**own, "table": own["table"].at[: len(table)].set(table)}
    else:
        own = own.at[: len(table)].set(table)
    return {**variables, "params": {**params, "body": {**body, name: own}}}


def _embedding(experiment: ExperimentConfig) -> tuple[str, int]:
    """The field of the model that says how wide the embedding is, and what it says."""
    section: Any = experiment.model
    name = "embedding" if isinstance(section, RNNConfig) else "features"
    return name, getattr(section, name)
