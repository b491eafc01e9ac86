"""Word vectors that the embedding of a classifier starts with."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jaxseq.config import ClassificationConfig, ExperimentConfig, RNNConfig
from jaxseq.errors import InputError
from jaxseq.interop.word_vectors import WordTable, WordVectors, read_word_vectors, table_for
from jaxseq.tasks.task import Variables, Workspace
from jaxseq.tasks.vector_exports import learned_vectors
from jaxseq.text.delimiting import AnyTokenizer


def starting_vectors(
    task: ClassificationConfig,
    experiment: ExperimentConfig,
    *,
    words: set[str] | None,
    workspace: Workspace,
) -> WordVectors:
    """Those of `words` in the file that is given, or of all that it has. The workspace tells what goes on.

    Raises:
        InputError: the file cannot be read, or its vectors have another width than the embedding.
    """
    name, width = _embedding(experiment)
    field, progress = f"model.{name}", workspace.progress
    vectors = read_word_vectors(task.vectors, features=width, words=words, field=field, progress=progress)
    if vectors.remark:
        workspace.tell(vectors.remark)
    return vectors


def starting_table(
    task: ClassificationConfig, vectors: WordVectors, experiment: ExperimentConfig, tokenizer: AnyTokenizer
) -> WordTable:
    """The embedding of the vocabulary; where words without a vector begin with drawn ones, by the training's seed."""
    _, width = _embedding(experiment)
    vocabulary = tokenizer.vocabulary
    found = table_for(
        vocabulary.symbols, vectors, features=width, seed=experiment.train.seed, specials=vocabulary.specials
    )
    unknown = ~found.is_known
    if task.unknown_vectors == "drawn" or not unknown.any():
        return found
    own = found.table[found.is_known]
    table = found.table.copy()
    table[unknown] = table[unknown][0] if task.unknown_vectors == "one" else unknown_vector(task.unknown_vectors, own)
    return found._replace(table=table)


def unknown_vector(kind: Literal["zero", "mean", "furthest"], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector [d] of all words that have none, by the `vectors` [n, d] that there are.

    "furthest" is as long as `vectors` are on average, and points where the sum of its cosines with them is least: away
    from the sum of their directions. Of no vectors it is zero.
    """
    if kind == "zero" or not len(vectors):
        return np.zeros(vectors.shape[1], np.float32)
    if kind == "mean":
        return vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    directions = vectors[lengths > 0] / lengths[lengths > 0, None]
    away = -directions.sum(axis=0)
    length = np.linalg.norm(away)
    return (away * (lengths.mean() / length if length > 0 else 0)).astype(np.float32)


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


def embedding_of(variables: Variables, symbols: Sequence[str]) -> WordVectors:
    """The rows of a classifier's embedding that are those of `symbols`, the first ones.

    Raises:
        InputError: the model reads one-hot vectors, or has no table of that kind.
    """
    table = variables["params"]["body"].get("embedding")
    if table is None:
        raise InputError("the model has no embedding of tokens: give --model.embedding, or train another kind")
    table = np.asarray(table["table"] if isinstance(table, Mapping) else table)
    return learned_vectors(symbols, table[: len(symbols)])


def _embedding(experiment: ExperimentConfig) -> tuple[str, int]:
    """The field of the model that says how wide the embedding is, and what it says."""
    section: Any = experiment.model
    name = "embedding" if isinstance(section, RNNConfig) else "features"
    return name, getattr(section, name)
