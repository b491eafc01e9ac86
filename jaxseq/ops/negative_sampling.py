"""Skip-gram and CBOW with negative sampling (Mikolov et al. 2013): losses of vectors that were looked up.

Rows of words come as `jaxseq.data.word_windows` has them: t centres, and s = t + 2 window tokens with them in the
middle. Of centre i the `left` tokens before and the `right` ones behind it are its context. In a skip-gram the vector
of the centre predicts each word of its context, which is a pair; in CBOW the mean of its context's vectors predicts the
centre, and there is a pair for each centre that has any.

A pair's loss, and its forms `own_...`, `shared_...` and `expected_...`, are those of `jaxseq.ops.word_prediction`.
"""

import jax.numpy as jnp
from jaxtyping import Float, Float32, Int

from jaxseq.ops.context import around, context_products, context_sums, in_context, occurrences
from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array
from jaxseq.ops.word_prediction import (
    against_all,
    expected_prediction,
    in_blocks,
    own_prediction,
    product,
    shared_prediction,
    softplus,
)


def shared_skipgram(
    centres: Float[Array, "b t d"],
    outputs: Float[Array, "b s d"],
    negatives: Float[Array, "b n k d"],
    tokens: Int[Array, "b s"],
    left: Int[Array, "b t"],
    right: Int[Array, "b t"],
    drawn: Int[Array, "b n k"],
    weights: Float[Array, "b n k"],
) -> Tally:
    """Loss in nats of a skip-gram whose blocks share negatives, and pairs.

    Args:
        outputs, negatives: output vectors of `tokens` and of `drawn`.
        weights: how many negatives of a pair each one drawn stands for.
    """
    blocks, length = drawn.shape[1], left.shape[1]
    band = in_context(left, right, (tokens.shape[1] - length) // 2)
    positive = context_products(centres, outputs)
    negative = product("bnid,bnkd->bnik", in_blocks(centres, blocks), negatives)
    total = jnp.where(band, softplus(-positive), 0).sum()
    # Words are counted from 1: there is no word, 0, in places that are not context.
    context = in_blocks(jnp.where(band, around(tokens, length) + 1, 0), blocks)
    pairs = in_blocks(left + right, blocks)[..., None] - occurrences(context, drawn + 1)
    total += (pairs * weights[:, :, None, :] * softplus(negative)).sum()
    return Tally(total, (left + right).sum(dtype=jnp.float32))


def shared_cbow(
    inputs: Float[Array, "b s d"],
    outputs: Float[Array, "b t d"],
    negatives: Float[Array, "b n k d"],
    tokens: Int[Array, "b s"],
    left: Int[Array, "b t"],
    right: Int[Array, "b t"],
    drawn: Int[Array, "b n k"],
    weights: Float[Array, "b n k"],
) -> Tally:
    """The same of CBOW; `outputs` are those of the centres."""
    means, there = _context_means(inputs, left, right), left + right > 0
    return shared_prediction(means, outputs, negatives, middle(tokens, left), there, drawn, weights)


def own_skipgram(
    centres: Float[Array, "b t d"],
    outputs: Float[Array, "b s d"],
    negatives: Float[Array, "b t w k d"],
    tokens: Int[Array, "b s"],
    left: Int[Array, "b t"],
    right: Int[Array, "b t"],
    drawn: Int[Array, "b t w k"],
) -> Tally:
    """Loss in nats of a skip-gram whose w = 2 window pairs of each centre have k negatives of their own, and pairs."""
    window = (tokens.shape[1] - left.shape[1]) // 2
    distances = jnp.concatenate([jnp.arange(-window, 0), jnp.arange(1, window + 1)])
    places = jnp.arange(left.shape[1])[:, None] + window + distances
    there = (distances >= -left[..., None]) & (distances <= right[..., None])
    positive = product("btd,btwd->btw", centres, outputs[:, places])
    negative = product("btd,btwkd->btwk", centres, negatives)
    counted = there[..., None] & (jnp.asarray(tokens)[:, places][..., None] != drawn)
    total = jnp.where(there, softplus(-positive), 0).sum() + jnp.where(counted, softplus(negative), 0).sum()
    return Tally(total, (left + right).sum(dtype=jnp.float32))


def own_cbow(
    inputs: Float[Array, "b s d"],
    outputs: Float[Array, "b t d"],
    negatives: Float[Array, "b t k d"],
    tokens: Int[Array, "b s"],
    left: Int[Array, "b t"],
    right: Int[Array, "b t"],
    drawn: Int[Array, "b t k"],
) -> Tally:
    """The same of CBOW; `outputs` are those of the centres."""
    means, there = _context_means(inputs, left, right), left + right > 0
    return own_prediction(means, outputs, negatives, middle(tokens, left), there, drawn)


def expected_skipgram(
    centres: Float[Array, "b t d"],
    outputs: Float[Array, "b s d"],
    tokens: Int[Array, "b s"],
    left: Int[Array, "b t"],
    right: Int[Array, "b t"],
    table: Float[Array, "v d"],
    expected: Float[Array, " v"],
) -> Tally:
    """Loss in nats of a skip-gram in the mean over all draws, and pairs.

    Args:
        table: all output vectors.
        expected: how often each word is among the negatives of a pair, in the mean.
    """
    window = (tokens.shape[1] - left.shape[1]) // 2
    band = in_context(left, right, window)
    positive = context_products(centres, outputs)
    kept = softplus(-positive) - around(jnp.asarray(expected)[tokens], left.shape[1]) * softplus(positive)
    against = against_all(centres, table, expected)
    pairs = (left + right).astype(jnp.float32)
    return Tally(jnp.where(band, kept, 0).sum() + (pairs * against).sum(), pairs.sum())


def expected_cbow(
    inputs: Float[Array, "b s d"],
    outputs: Float[Array, "b t d"],
    tokens: Int[Array, "b s"],
    left: Int[Array, "b t"],
    right: Int[Array, "b t"],
    table: Float[Array, "v d"],
    expected: Float[Array, " v"],
) -> Tally:
    """The same of CBOW; `outputs` are those of the centres."""
    means, there = _context_means(inputs, left, right), left + right > 0
    return expected_prediction(means, outputs, middle(tokens, left), there, table, expected)


def _context_means(
    inputs: Float[Array, "b s d"], left: Int[Array, "b t"], right: Int[Array, "b t"]
) -> Float32[Array, "b t d"]:
    """Means of the vectors in the context of each centre; zeros where there are none."""
    band = in_context(left, right, (inputs.shape[1] - left.shape[1]) // 2)
    return context_sums(band / jnp.maximum(left + right, 1)[..., None], inputs)


def middle(tokens: Int[Array, "b s"], left: Int[Array, "b t"]) -> Int[Array, "b t"]:
    """The tokens that are centres."""
    window = (tokens.shape[1] - left.shape[1]) // 2
    return tokens[:, window : window + left.shape[1]]
