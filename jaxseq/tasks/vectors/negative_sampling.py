"""The loss of word vectors, by the algorithm and the negatives that a configuration names."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

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

BLOCK = 128
"""Centres, at the most, whose pairs share negatives."""
_POWER = 0.75
"""Of its count, that a word's chance to be drawn is in proportion to."""


class Negatives(NamedTuple):
    """How the negatives of word vectors are drawn, and what they stand for."""

    proposal: Proposal
    expected: np.ndarray
    """How often each word is among the negatives of a pair, in the mean [v] float32."""
    weights: np.ndarray
    """How many negatives of a pair each word of a draw stands for, in each of the pairs that share it [v] float32."""

    @classmethod
    def of(cls, counts: np.ndarray, *, negatives: int, shared: int) -> Self:
        """Words in proportion to their counts to the power 3/4.

        Args:
            counts: how often each word occurs [v].
            negatives: of a pair.
            shared: words of a draw, 0 for one.

        Raises:
            ConfigError: so many cannot be drawn from so few.
        """
        shares = np.maximum(counts, 1).astype(np.float64) ** _POWER
        expected = (negatives * shares / shares.sum()).astype(np.float32)
        try:
            proposal = Proposal.unigram(counts, samples=shared or 1, power=_POWER)
        except ValueError as error:
            raise ConfigError(f"task.shared is {shared}: {error}, or give 0") from error
        return cls(proposal, expected, (expected / proposal.chances).astype(np.float32))


def word_vector_loss(task: WordVectorsConfig, model: VectorTables, counts: np.ndarray) -> LossFn:
    """The loss for batches of `jaxseq.data.word_windows`: nats a pair ("loss").

    In training negatives are drawn, by the numbers that a batch brings along, so that they hang neither on the size
    of batches nor on the number of devices. Outside of training the loss is the mean over all draws.

    Args:
        counts: how often each word occurs [v].

    Raises:
        ConfigError: `task.shared` words cannot be drawn from so few.
    """
    proposal, expected, weights = Negatives.of(counts, negatives=task.negatives, shared=task.shared)
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
            return _output(form(inputs, bound.outputs(written), *words, table, jnp.asarray(expected)))
        if task.shared:
            blocks = -(-batch.left.shape[1] // BLOCK)
            drawn, negatives = negatives_of(bound, proposal, batch.draws, (blocks,))
            form = ops.shared_skipgram if skipgram else ops.shared_cbow
            return _output(form(inputs, bound.outputs(written), negatives, *words, drawn, jnp.asarray(weights)[drawn]))
        pairs = (batch.left.shape[1], 2 * window) if skipgram else (batch.left.shape[1],)
        drawn, negatives = negatives_of(bound, proposal, batch.draws, (*pairs, task.negatives))
        form = ops.own_skipgram if skipgram else ops.own_cbow
        return _output(form(inputs, bound.outputs(written), negatives[..., 0, :], *words, drawn[..., 0]))

    return loss_fn


def _output(tally: Tally) -> LossOutput:
    return LossOutput({"loss": tally})


def negatives_of(
    bound: Any, proposal: Proposal, draws: jax.Array, shape: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    """The words of draws of that shape for each row, [b, *shape, samples], and their output vectors."""
    drawn = draw_words(proposal, draws, shape)
    vectors = bound.outputs(drawn.reshape(len(drawn), -1))
    return drawn, vectors.reshape(*drawn.shape, -1)


def draw_words(proposal: Proposal, draws: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The words [b, *shape, samples] of draws that follow from a random number for each row, uint32 [b]."""
    keys = jax.random.wrap_key_data(jnp.stack([jnp.zeros_like(draws), draws], axis=1), impl="threefry2x32")
    return proposal.of_bits(jax.vmap(lambda key: jax.random.bits(key, shape))(keys))
