"""The loss of word vectors, by the algorithm and the negatives that a configuration names."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.config import WordVectorsConfig
from jaxseq.errors import ConfigError
from jaxseq.models.word_vectors import VectorTables
from jaxseq.ops import negative_sampling as ops
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossContext, LossFn, LossOutput
from jaxseq.ops.proposals import Proposal

BLOCK = 32
"""Centres, at the most, whose pairs share negatives."""
_POWER = 0.75
"""Of its count, that a word's chance to be drawn is in proportion to."""


def word_vector_loss(task: WordVectorsConfig, model: VectorTables, counts: np.ndarray) -> LossFn:
    """The loss for batches of `jaxseq.data.word_windows`: nats a pair ("loss").

    In training negatives are drawn, by the numbers that a batch brings along, so that they hang neither on the size
    of batches nor on the number of devices. Outside of training the loss is the mean over all draws.

    Args:
        counts: how often each word occurs [v].

    Raises:
        ConfigError: `task.shared` words cannot be drawn from so few.
    """
    shares = np.maximum(counts, 1).astype(np.float64) ** _POWER
    expected = (task.negatives * shares / shares.sum()).astype(np.float32)
    try:
        proposal = Proposal.unigram(counts, samples=task.shared or 1, power=_POWER)
    except ValueError as error:
        raise ConfigError(f"task.shared is {task.shared}: {error}, or give 0") from error
    weights = (expected / proposal.chances).astype(np.float32)
    skipgram = task.algorithm == "skipgram"

    def loss_fn(variables: Mapping[str, Any], carry: Any, batch: Any, context: LossContext) -> LossOutput:
        bound: Any = model.bind(variables)
        window = (batch.tokens.shape[1] - batch.left.shape[1]) // 2
        places = jnp.arange(batch.tokens.shape[1])
        middle = batch.tokens[:, window : window + batch.left.shape[1]]
        # In a skip-gram the centres have input vectors, and all words output vectors; in CBOW it is the other way.
        reading, written = (middle, batch.tokens) if skipgram else (batch.tokens, middle)
        there = places[: reading.shape[1]] < batch.centres[:, None] + (0 if skipgram else 2 * window)
        inputs = bound.inputs(reading, there=there)
        words = (batch.tokens, batch.left, batch.right)
        if not context.train:
            form = ops.expected_skipgram if skipgram else ops.expected_cbow
            table = variables["params"]["output"]["table"]
            return _output(form(inputs, bound.outputs(written), *words, table, expected))
        keys = jax.vmap(lambda draw: jax.random.fold_in(jax.random.key(0), draw))(batch.draws)
        if task.shared:
            drawn = _drawn(keys, (-(-batch.left.shape[1] // BLOCK),), proposal)
            outputs, negatives = _outputs(bound, written, drawn)
            form = ops.shared_skipgram if skipgram else ops.shared_cbow
            return _output(form(inputs, outputs, negatives, *words, drawn, jnp.asarray(weights)[drawn]))
        pairs = (batch.left.shape[1], 2 * window) if skipgram else (batch.left.shape[1],)
        drawn = _drawn(keys, (*pairs, task.negatives), proposal)[..., 0]
        outputs, negatives = _outputs(bound, written, drawn)
        form = ops.own_skipgram if skipgram else ops.own_cbow
        return _output(form(inputs, outputs, negatives, *words, drawn))

    return loss_fn


def _output(tally: Tally) -> LossOutput:
    return LossOutput({"loss": tally})


def _outputs(bound: Any, words: jax.Array, drawn: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Output vectors of words [b, t] and of those drawn [b, ...], by one look into the table: on the way back there is
    one sum over its rows."""
    length = words.shape[1]
    vectors = bound.outputs(jnp.concatenate([words, drawn.reshape(len(drawn), -1)], axis=1))
    return vectors[:, :length], vectors[:, length:].reshape(*drawn.shape, vectors.shape[-1])


def _drawn(keys: jax.Array, shape: tuple[int, ...], proposal: Proposal) -> jax.Array:
    """The words of `shape` draws for each of the keys [b]: [b, *shape, samples]."""

    def of_row(key: jax.Array) -> jax.Array:
        drawn = jax.vmap(proposal.draw)(jax.random.split(key, math.prod(shape)))
        return drawn.reshape(*shape, proposal.samples)

    return jax.vmap(of_row)(keys)
