"""Vectors that predict one word each, with negative sampling (Mikolov et al. 2013): losses of what was looked up.

The loss of a prediction is softplus(-x) of the logit x of its word, and softplus(y) of the logit y of each negative, a
word drawn with a chance in proportion to its count to the power 3/4. A negative that is the very word predicted does
not count, as in word2vec.c. That is what a loss is in the mean over all draws (`expected_prediction`), and what these
two forms estimate:

- `own_prediction`: negatives drawn for each prediction alone, as word2vec.c does. Plain, and slow.
- `shared_prediction`: a row is cut into n blocks, whose predictions share k negatives, each weighed with how many it
  stands for, and meet them in one matrix product.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Float32, Int, Shaped

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


def shared_prediction(
    vectors: Float[Array, "b t d"],
    outputs: Float[Array, "b t d"],
    negatives: Float[Array, "b n k d"],
    words: Int[Array, "b t"],
    there: Bool[Array, "b t"],
    drawn: Int[Array, "b n k"],
    weights: Float[Array, "b n k"],
) -> Tally:
    """Loss in nats of predictions that share negatives by blocks, and their number.

    Args:
        vectors: what predicts `words`.
        outputs, negatives: output vectors of `words` and of `drawn`.
        there: which predictions there are.
        weights: how many negatives of a prediction each one drawn stands for.
    """
    blocks = drawn.shape[1]
    positive = (vectors.astype(jnp.float32) * outputs.astype(jnp.float32)).sum(-1)
    negative = product("bnid,bnkd->bnik", in_blocks(vectors.astype(outputs.dtype), blocks), negatives)
    counted = in_blocks(there, blocks)[..., None] & (in_blocks(words, blocks)[..., None] != drawn[:, :, None, :])
    total = jnp.where(there, softplus(-positive), 0).sum()
    total += jnp.where(counted, weights[:, :, None, :] * softplus(negative), 0).sum()
    return Tally(total, there.sum(dtype=jnp.float32))


def own_prediction(
    vectors: Float[Array, "b t d"],
    outputs: Float[Array, "b t d"],
    negatives: Float[Array, "b t k d"],
    words: Int[Array, "b t"],
    there: Bool[Array, "b t"],
    drawn: Int[Array, "b t k"],
) -> Tally:
    """Loss in nats of predictions that have k negatives of their own each, and their number."""
    positive = (vectors.astype(jnp.float32) * outputs.astype(jnp.float32)).sum(-1)
    negative = product("btd,btkd->btk", vectors.astype(outputs.dtype), negatives)
    counted = there[..., None] & (words[..., None] != drawn)
    total = jnp.where(there, softplus(-positive), 0).sum() + jnp.where(counted, softplus(negative), 0).sum()
    return Tally(total, there.sum(dtype=jnp.float32))


def expected_prediction(
    vectors: Float[Array, "b t d"],
    outputs: Float[Array, "b t d"],
    words: Int[Array, "b t"],
    there: Bool[Array, "b t"],
    table: Float[Array, "v d"],
    expected: Float[Array, " v"],
) -> Tally:
    """Loss in nats of predictions in the mean over all draws, and their number.

    Args:
        table: all output vectors.
        expected: how often each word is among the negatives of a prediction, in the mean.
    """
    positive = (vectors.astype(jnp.float32) * outputs.astype(jnp.float32)).sum(-1)
    itself = jnp.asarray(expected)[words] * softplus(positive)
    losses = softplus(-positive) - itself + against_all(vectors.astype(outputs.dtype), table, expected)
    return Tally(jnp.where(there, losses, 0).sum(), there.sum(dtype=jnp.float32))


def common_prediction(
    vectors: Float[Array, "b d"],
    outputs: Float[Array, "b t d"],
    negatives: Float[Array, "b k d"],
    words: Int[Array, "b t"],
    there: Bool[Array, "b t"],
    drawn: Int[Array, "b k"],
    weights: Float[Array, "b k"],
) -> Tally:
    """`shared_prediction` where one vector predicts all words of its row, and one block shares its negatives."""
    positive = product("bd,btd->bt", vectors, outputs)
    negative = product("bd,bkd->bk", vectors, negatives)
    counted = (there[..., None] & (words[..., None] != drawn[:, None, :])).sum(axis=1)
    total = jnp.where(there, softplus(-positive), 0).sum() + (counted * weights * softplus(negative)).sum()
    return Tally(total, there.sum(dtype=jnp.float32))


def against_all(
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
        logits = product("btd,vd->btv", vectors, table[ids].astype(vectors.dtype))
        return total + softplus(logits) @ share, None

    return lax.scan(step, jnp.zeros(vectors.shape[:2], jnp.float32), (words, shares))[0]


@jax.custom_vjp
def mean_of(sums: Float[Array, "*n d"], counts: Float[Array, "*n 1"]) -> Float[Array, "*n d"]:
    """sums / counts; in training each summand has the whole gradient of the mean, and not a part of it, as in
    word2vec.c and in fastText's `Model::update`: else what a mean is made of would learn as many times slower."""
    return sums / counts


mean_of.defvjp(lambda sums, counts: (sums / counts, counts), lambda counts, d: (d, jnp.zeros_like(counts)))


def in_blocks(rows: Shaped[Array, "b t *n"], blocks: int) -> Shaped[Array, "b {blocks} i *n"]:
    """Rows [b, t, ...] cut into blocks [b, n, i, ...] of one size, the last one filled up with zeros."""
    length = rows.shape[1]
    size = -(-length // blocks)
    rows = jnp.pad(rows, [(0, 0), (0, blocks * size - length), *[(0, 0)] * (rows.ndim - 2)])
    return rows.reshape(rows.shape[0], blocks, size, *rows.shape[2:])


def product(form: str, one: Float[Array, "*n"], other: Float[Array, "*m"]) -> Float32[Array, "*k"]:
    """`jnp.einsum` that adds up in float32."""
    return jnp.einsum(form, one, other, preferred_element_type=jnp.float32)
