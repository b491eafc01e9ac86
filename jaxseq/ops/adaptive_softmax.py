"""The adaptive softmax (Grave et al. 2017): frequent words, and clusters of rare ones by narrower features.

Probabilities are those of `torch.nn.AdaptiveLogSoftmaxWithLoss`. Its tokens of a cluster are as many as a batch happens
to have; here a cluster has room for a fixed number of them, and where there are more it is computed for all tokens:
shapes are static, results exact.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.ops.chunks import over_chunks
from jaxseq.ops.finite import product
from jaxseq.ops.losses import Tally, linear_cross_entropy
from jaxseq.ops.shapes import Array

CHUNK = 1024
"""Tokens for which it is looked up at one time whether they are hits."""


class Cluster(NamedTuple):
    """Weights of a cluster of rare words."""

    projection: Float[Array, "d narrow"]
    """To narrower features."""
    kernel: Float[Array, "narrow words"]
    """From these to the cluster's words."""


class AdaptiveWeights(NamedTuple):
    """Weights of all words: of frequent ones first, then of the clusters, as the ids go on."""

    kernel: Float[Array, "d f"]
    """To the frequent words, and behind them the clusters as if each were a word."""
    bias: Float[Array, " f"] | None
    clusters: tuple[Cluster, ...]

    @property
    def frequent(self) -> int:
        """How many words have columns of their own in the first kernel."""
        return self.kernel.shape[1] - len(self.clusters)


def adaptive_log_probabilities(x: Float[Array, "*n d"], weights: AdaptiveWeights) -> Float32[Array, "*n v"]:
    """Logarithms of the probabilities of all words for features x."""
    first = product(x, weights.kernel, dtype=x.dtype)
    first = jax.nn.log_softmax(first if weights.bias is None else first + weights.bias)
    parts = [first[..., : weights.frequent]]
    for i, (projection, kernel) in enumerate(weights.clusters):
        narrow = product(x, projection, dtype=x.dtype).astype(x.dtype)
        own = jax.nn.log_softmax(product(narrow, kernel, dtype=x.dtype))
        parts.append(own + first[..., weights.frequent + i, None])
    return jnp.concatenate(parts, axis=-1)


def adaptive_cross_entropy(
    features: Float[Array, "n d"],
    weights: AdaptiveWeights,
    targets: Int[Array, " n"],
    mask: Bool[Array, " n"] | None = None,
    *,
    room: tuple[float, ...],
) -> tuple[Tally, Tally]:
    """Loss in nats, and hits of the likeliest word, as `cross_entropy` has them of the logarithms above.

    Args:
        room: share of tokens that each cluster has room for.
    """
    if not targets.size:
        return Tally(jnp.float32(0), jnp.float32(0)), Tally(jnp.float32(0), jnp.float32(0))
    valid = jnp.ones(targets.shape, bool) if mask is None else jnp.asarray(mask)
    if mask is not None:
        features, targets = jnp.where(mask[:, None], features, 0), jnp.where(mask, targets, 0)
    places = _places(weights, targets)
    count = valid.sum(dtype=jnp.float32)
    loss, _ = linear_cross_entropy(features, weights.kernel, weights.bias, places.column, mask)
    total = loss.total
    for i, cluster in enumerate(weights.clusters):
        total += _cluster_loss(features, cluster, places.within, valid & (places.cluster == i), room[i])

    def step(hits: Array, tokens: tuple[Array, Array, Array]) -> tuple[Array, None]:
        return hits + _hits(weights, *tokens, room).sum(dtype=jnp.float32), None

    features, weights = lax.stop_gradient((features, weights))
    hits, _ = over_chunks(step, jnp.float32(0), (features, targets, valid), size=CHUNK)
    return Tally(total, count), Tally(hits, count)


class _Places(NamedTuple):
    """Where words are found, [n] each."""

    cluster: Array
    """-1 for a frequent word."""
    column: Array
    """In the first kernel: the word's own or its cluster's."""
    within: Array
    """In its cluster's kernel."""


def _places(weights: AdaptiveWeights, words: Array) -> _Places:
    ends = [weights.frequent]
    for cluster in weights.clusters:
        ends.append(ends[-1] + cluster.kernel.shape[1])
    cluster = (words[:, None] >= jnp.array(ends[:-1], words.dtype)).sum(axis=1) - 1
    column = jnp.where(cluster < 0, words, weights.frequent + cluster)
    return _Places(cluster, column, words - jnp.array(ends, words.dtype)[jnp.maximum(cluster, 0)])


def _size(n: int, share: float) -> int:
    """Tokens that there is room for: a share of n, and a few."""
    return min(n, 8 * (1 + math.ceil(n * share / 8)))


def _indices(members: Array, size: int) -> Array:
    """Of up to `size` members; past the end where there are fewer."""
    return jnp.nonzero(members, size=size, fill_value=len(members))[0]


def _rows(x: Array, index: Array) -> Array:
    """Rows of x by index, zeros past the end."""
    return x.at[index].get(mode="fill", fill_value=0)


def _narrow(features: Array, cluster: Cluster) -> Array:
    projection = cluster.projection.astype(features.dtype)
    return jnp.matmul(features, projection, preferred_element_type=jnp.float32).astype(features.dtype)


def _cluster_loss(features: Array, cluster: Cluster, within: Array, members: Array, share: float) -> Array:
    """Summed loss of the members of a cluster, their word being known to be in it."""

    def of(features: Array, within: Array, members: Array, cluster: Cluster) -> Array:
        narrow = _narrow(features, cluster)
        return linear_cross_entropy(narrow, cluster.kernel, None, within, members)[0].total

    def of_some(features: Array, within: Array, members: Array, cluster: Cluster) -> Array:
        return of(_rows(features, index), _rows(within, index), _rows(members, index), cluster)

    size = _size(len(members), share)
    index = _indices(members, size)
    return lax.cond(members.sum() <= size, of_some, of, features, within, members, cluster)


def _hits(weights: AdaptiveWeights, features: Array, targets: Array, valid: Array, room: tuple[float, ...]) -> Array:
    """Whether the target is the first of the likeliest words; a comparison with NaN is False.

    A cluster's words are looked at for the tokens only for which they decide: those whose target is not behind a
    frequent word already, where the cluster as a whole is likelier than every frequent word.
    """
    places = _places(weights, targets)
    first = jnp.matmul(features, weights.kernel.astype(features.dtype), preferred_element_type=jnp.float32)
    first = jax.nn.log_softmax(first if weights.bias is None else first + weights.bias)
    words, clusters = first[:, : weights.frequent], first[:, weights.frequent :]
    highest = words.max(axis=1)
    is_frequent = places.cluster < 0
    own = jnp.take_along_axis(first, places.column[:, None], axis=1)[:, 0]
    before = jnp.where(jnp.arange(weights.frequent) < targets[:, None], words, -jnp.inf).max(axis=1)
    is_open = valid & jnp.where(is_frequent, (own >= highest) & (own > before), own > highest)
    found = [
        _look(features, cluster, places.within, is_open & (clusters[:, i] > highest), room[i])
        for i, cluster in enumerate(weights.clusters)
    ]
    likelihood = own
    for i, (_, target, _) in enumerate(found):
        likelihood = jnp.where(places.cluster == i, likelihood + target, likelihood)
    hits = is_open & (is_frequent | (likelihood > highest))
    for i, (best, _, is_first) in enumerate(found):
        others = clusters[:, i] + best
        ahead = jnp.where(places.cluster > i, likelihood > others, likelihood >= others)
        hits &= jnp.where(places.cluster == i, is_first, ahead)
    return hits


def _look(features: Array, cluster: Cluster, within: Array, members: Array, share: float) -> tuple[Array, Array, Array]:
    """For members, of the words of a cluster: the highest logarithm of a probability, the target's, where it is one,
    and whether that is the first of the highest; for others -inf, 0 and False."""

    def of(features: Array, within: Array) -> tuple[Array, Array, Array]:
        kernel = cluster.kernel.astype(features.dtype)
        logits = jnp.matmul(_narrow(features, cluster), kernel, preferred_element_type=jnp.float32)
        logits = jax.nn.log_softmax(logits)
        highest = logits.max(axis=1)
        index = jnp.clip(within, 0, logits.shape[1] - 1)[:, None]
        target = jnp.take_along_axis(logits, index, axis=1)[:, 0]
        before = jnp.where(jnp.arange(logits.shape[1]) < index, logits, -jnp.inf).max(axis=1)
        return highest, target, (target >= highest) & (target > before)

    def of_all() -> tuple[Array, Array, Array]:
        highest, target, is_first = of(features, within)
        return jnp.where(members, highest, -jnp.inf), jnp.where(members, target, 0), members & is_first

    def of_some(size: int) -> tuple[Array, Array, Array]:
        index = _indices(members, size)
        nothing = (jnp.full(n, -jnp.inf, jnp.float32), jnp.zeros(n, jnp.float32), jnp.zeros(n, bool))
        found = of(_rows(features, index), _rows(within, index))
        return jax.tree.map(lambda whole, part: whole.at[index].set(part, mode="drop"), nothing, found)

    n = len(members)
    sizes = _size(n, share / 4), _size(n, share)  # mostly there are few
    enough = sum((members.sum() > size).astype(jnp.int32) for size in sizes)
    return lax.switch(enough, [*(partial(of_some, size) for size in sizes), of_all])
