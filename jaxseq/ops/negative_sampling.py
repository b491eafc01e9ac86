"""Skip-gram and CBOW with negative sampling (Mikolov et al. 2013): losses of vectors that were looked up.

Rows of words come as `jaxseq.data.word_windows` has them: t centres, and s = t + 2 window tokens with them in the
middle. Of centre i the `left` tokens before and the `right` ones behind it are its context. In a skip-gram the vector
of the centre predicts each word of its context, which is a pair; in CBOW the mean of its context's vectors predicts the
centre, and there is a pair for each centre that has any.

A pair's loss is softplus(-x) of its own logit x, and softplus(y) of the logit y of each negative, a word drawn with a
chance in proportion to its count to the power 3/4. A negative that is the very word predicted does not count, as in
word2vec.c. So that is what a loss is in the mean over all draws (`expected_...`), and what these two forms estimate:

- `own_...`: negatives drawn for each pair alone, as word2vec.c does. Plain, and slow.
- `shared_...`: a row is cut into n blocks, whose pairs share k negatives, each weighed with how many it stands for. A
  block's centres meet the negatives in one matrix product.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float, Float32, Int

from jaxseq.ops.context import around, context_products, context_sums, in_context, occurrences
from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array

CHUNK = 4096
"""Words of the vocabulary whose logits exist at one time where all are looked at."""


@jax.custom_jvp
def softplus(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """log(1 + exp(x)); value and slope together take one exponential."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@softplus.defjvp
def _softplus_jvp(primals, tangents):
    (x,), (slope,) = primals, tangents
    small = jnp.exp(-jnp.abs(x))
    return jnp.maximum(x, 0) + jnp.log1p(small), jnp.where(x >= 0, 1, small) / (1 + small) * slope


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
    negative = _product("bnid,bnkd->bnik", _blocks(centres, blocks), negatives)
    total = jnp.where(band, softplus(-positive), 0).sum()
    # Words are counted from 1: there is no word, 0, in places that are not context.
    context = _blocks(jnp.where(band, around(tokens, length) + 1, 0), blocks)
    pairs = _blocks(left + right, blocks)[..., None] - occurrences(context, drawn + 1)
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
    blocks = drawn.shape[1]
    mean = _context_means(inputs, left, right)
    there = left + right > 0
    positive = (mean * outputs.astype(jnp.float32)).sum(-1)
    negative = _product("bnid,bnkd->bnik", _blocks(mean.astype(inputs.dtype), blocks), negatives)
    words = _blocks(_middle(tokens, left), blocks)
    counted = _blocks(there, blocks)[..., None] & (words[..., None] != drawn[:, :, None, :])
    total = jnp.where(there, softplus(-positive), 0).sum()
    total += jnp.where(counted, weights[:, :, None, :] * softplus(negative), 0).sum()
    return Tally(total, there.sum(dtype=jnp.float32))


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
    positive = _product("btd,btwd->btw", centres, outputs[:, places])
    negative = _product("btd,btwkd->btwk", centres, negatives)
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
    mean = _context_means(inputs, left, right)
    there = left + right > 0
    positive = (mean * outputs.astype(jnp.float32)).sum(-1)
    negative = _product("btd,btkd->btk", mean.astype(inputs.dtype), negatives)
    counted = there[..., None] & (_middle(tokens, left)[..., None] != drawn)
    total = jnp.where(there, softplus(-positive), 0).sum() + jnp.where(counted, softplus(negative), 0).sum()
    return Tally(total, there.sum(dtype=jnp.float32))


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
    against = _against_all(centres, table, expected)
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
    mean = _context_means(inputs, left, right)
    there = left + right > 0
    positive = (mean * outputs.astype(jnp.float32)).sum(-1)
    itself = jnp.asarray(expected)[_middle(tokens, left)] * softplus(positive)
    losses = softplus(-positive) - itself + _against_all(mean.astype(inputs.dtype), table, expected)
    return Tally(jnp.where(there, losses, 0).sum(), there.sum(dtype=jnp.float32))


def _against_all(
    vectors: Float[Array, "b t d"], table: Float[Array, "v d"], expected: Float[Array, " v"]
) -> Float32[Array, "b t"]:
    """The loss of all negatives of a pair in the mean, some words of the vocabulary at a time."""
    table = jnp.asarray(table)
    chunks = -(-len(table) // CHUNK)
    padding = chunks * CHUNK - len(table)
    words = jnp.minimum(jnp.arange(chunks * CHUNK), len(table) - 1).reshape(chunks, CHUNK)
    shares = jnp.pad(jnp.asarray(expected, jnp.float32), (0, padding)).reshape(chunks, CHUNK)

    def step(total, chunk):
        ids, share = chunk
        logits = _product("btd,vd->btv", vectors, table[ids].astype(vectors.dtype))
        return total + softplus(logits) @ share, None

    return lax.scan(step, jnp.zeros(vectors.shape[:2], jnp.float32), (words, shares))[0]


def _context_means(
    inputs: Float[Array, "b s d"], left: Int[Array, "b t"], right: Int[Array, "b t"]
) -> Float32[Array, "b t d"]:
    """Means of the vectors in the context of each centre; zeros where there are none."""
    band = in_context(left, right, (inputs.shape[1] - left.shape[1]) // 2)
    return context_sums(band / jnp.maximum(left + right, 1)[..., None], inputs)


def _middle(tokens: Int[Array, "b s"], left: Int[Array, "b t"]) -> Int[Array, "b t"]:
    """The tokens that are centres."""
    window = (tokens.shape[1] - left.shape[1]) // 2
    return tokens[:, window : window + left.shape[1]]


def _blocks(rows, blocks: int):
    """Rows [b, t, ...] cut into blocks [b, n, i, ...] of one size, the last one filled up with zeros."""
    length = rows.shape[1]
    size = -(-length // blocks)
    rows = jnp.pad(rows, [(0, 0), (0, blocks * size - length), *[(0, 0)] * (rows.ndim - 2)])
    return rows.reshape(rows.shape[0], blocks, size, *rows.shape[2:])


def _product(form: str, one, other):
    return jnp.einsum(form, one, other, preferred_element_type=jnp.float32)
