"""An n-gram language model: the next token by the n - 1 before it, looked up in tables."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float32, Int, Int32

from jaxseq.ops.losses import Tally
from jaxseq.ops.shapes import Array

NONE = -1
"""Stands for a token that is not there, and for an n-gram that is not."""
_AT_ONCE = 1024
"""n-grams that one step of `_overwrite` writes."""

Table = Mapping[str, Array]
"""The k-grams of one k, see `jaxseq.data.backoff.GramTable`."""


class NGramCarry(NamedTuple):
    """What an n-gram model remembers."""

    tokens: Int32[Array, "b n"]
    """The last n - 1 tokens, the newest last; NONE where there were not so many."""


class NGram(nn.Module):
    """Log probabilities of the next token after each token, and the carry.

    Parameters, none of them to be trained: those of `jaxseq.data.backoff.BackoffTables.params`, `order_1` to
    `order_n`. Freshly initialised it has read no text, and all tokens are equally likely. It does what
    `jaxseq.nn.LanguageModel` does, and what decoding asks for.

    Attributes:
        order: n.
        begin: the token that stands before the first one of a text, where the tables have been counted so. The carry
            starts with it.
        predict: "last" has `loss` look at the token after a window only.
    """

    vocabulary_size: int
    order: int
    begin: int | None = None
    predict: Literal["every", "last"] = "every"

    @property
    def dtype(self) -> jnp.dtype:
        """The type of log probabilities."""
        return jnp.dtype(jnp.float32)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> NGramCarry:
        """No token before, or the begin symbol alone."""
        tokens = jnp.full((batch_size, self.order - 1), NONE, jnp.int32)
        if self.begin is not None and self.order > 1:
            tokens = tokens.at[:, -1].set(self.begin)
        return NGramCarry(tokens)

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        carry: NGramCarry | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> tuple[Float32[Array, "b t {self.vocabulary_size}"], NGramCarry]:
        """Log probabilities of the token after each of tokens, zero where masked; and the carry."""
        tables = self._tables()
        contexts, carry = self._read(tables, tokens, carry, mask, reset)
        flat = [context.reshape(-1) for context in contexts]
        logits = _distributions(tables, flat, tokens.size).reshape(*tokens.shape, self.vocabulary_size)
        return (logits if mask is None else jnp.where(mask[:, :, None], logits, 0)), carry

    def log_probability(
        self,
        tokens: Int[Array, "b t"],
        targets: Int[Array, "b t"],
        carry: NGramCarry | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
    ) -> tuple[Float32[Array, "b t"], NGramCarry]:
        """Log probability of targets, each after the token in its place, zero where masked; and the carry.

        The same numbers as in the distributions, which are never made.
        """
        tables = self._tables()
        contexts, carry = self._read(tables, tokens, carry, mask, reset)
        targets = targets if mask is None else jnp.where(mask, targets, 0)
        found = _of_targets(tables, contexts, targets)
        return (found if mask is None else jnp.where(mask, found, 0)), carry

    def loss(
        self,
        tokens: Int[Array, "b t"],
        targets: Int[Array, "b t"],
        carry: NGramCarry | None = None,
        *,
        mask: Bool[Array, "b t"] | None = None,
        reset: Bool[Array, "b t"] | None = None,
        train: bool = False,
    ) -> tuple[dict[str, Tally], NGramCarry]:
        """Cross-entropy in nats ("loss") and hits ("accuracy") of targets, and the carry."""
        tables = self._tables()
        contexts, carry = self._read(tables, tokens, carry, mask, reset)
        mask = jnp.ones(tokens.shape, bool) if mask is None else mask
        if self.predict == "last":
            contexts = [context[:, -1:] for context in contexts]
            targets, mask = targets[:, -1:], mask[:, -1:]
        targets = jnp.where(mask, targets, 0)
        losses, hits = -_of_targets(tables, contexts, targets), _likeliest(tables, contexts, targets.shape) == targets
        count = mask.sum(dtype=jnp.float32)
        loss = Tally(jnp.where(mask, losses, 0).sum(), count)
        return {"loss": loss, "accuracy": Tally((hits & mask).sum(dtype=jnp.float32), count)}, carry

    @nn.nowrap
    def decoding_weights(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The tables as they are."""
        return params

    @nn.nowrap
    def decode_step(
        self, weights: Mapping[str, Any], tokens: Int[Array, " b"], carry: NGramCarry
    ) -> tuple[Float32[Array, "b {self.vocabulary_size}"], NGramCarry]:
        """Log probabilities of the token after each row's, and the carry."""
        tables = _in_order(weights)
        read = jnp.concatenate([carry.tokens, self._known(tokens)[:, None]], axis=1)[:, 1:]
        contexts = [nodes[:, -1] for nodes in _contexts(tables, read)]
        return _distributions(tables, contexts, len(tokens)), NGramCarry(read)

    def _tables(self) -> list[Table]:
        if self.is_initializing():
            for name, value in _unread(self.vocabulary_size, self.order).items():
                self.put_variable("params", name, value)
        # No derivative is taken: the loops of lookups have none backwards.
        return _in_order(lax.stop_gradient(self.variables["params"]))

    @nn.nowrap
    def _known(self, tokens: Array) -> Array:
        """`tokens`, NONE for those that are none of the vocabulary."""
        return jnp.where((tokens >= 0) & (tokens < self.vocabulary_size), tokens, NONE).astype(jnp.int32)

    @nn.nowrap
    def _read(
        self, tables: list[Table], tokens: Array, carry: NGramCarry | None, mask: Any, reset: Any
    ) -> tuple[list[Array], NGramCarry]:
        """Of each k below n, indices [b, t] of the k-grams that end with tokens [b, t]; and the carry.

        Real tokens are moved together, so that an n-gram goes across padding; a reset puts what the initial carry ends
        with between them, across which no n-gram of the tables goes.
        """
        before = self.initial_carry(len(tokens)).tokens if carry is None else carry.tokens
        (rows, time), width = tokens.shape, self.order - 1
        if not time or not width:
            return [jnp.zeros(tokens.shape, jnp.int32)] * width, NGramCarry(before)
        if mask is None and reset is None:
            joined = jnp.concatenate([before, self._known(tokens)], axis=1)
            return [nodes[:, width:] for nodes in _contexts(tables, joined)], NGramCarry(joined[:, time:])
        real = jnp.ones(tokens.shape, bool) if mask is None else mask
        starts = jnp.zeros(tokens.shape, bool) if reset is None else reset
        # Where each token, or the last one before padding, comes to lie; a reset lies before its token.
        places = width - 1 + jnp.cumsum(real.astype(jnp.int32) + starts, axis=1, dtype=jnp.int32)
        of_resets = places - real
        size = width + time * (1 if reset is None else 2)
        row = jnp.arange(rows, dtype=jnp.int32)[:, None]
        joined = jnp.concatenate([before, jnp.full((rows, size - width), NONE, jnp.int32)], axis=1)
        joined = joined.at[row, jnp.where(real, places, size)].set(self._known(tokens), mode="drop")
        first = NONE if self.begin is None else self.begin
        joined = joined.at[row, jnp.where(starts, of_resets, size)].set(first, mode="drop")
        contexts = [jnp.take_along_axis(nodes, places, axis=1) for nodes in _contexts(tables, joined)]
        last = places[:, -1:] + jnp.arange(1 - width, 1, dtype=jnp.int32)
        since = jnp.where(starts, of_resets, 0).max(axis=1, keepdims=True)
        return contexts, NGramCarry(jnp.where(last >= since, jnp.take_along_axis(joined, last, axis=1), NONE))


def _unread(size: int, order: int) -> dict[str, dict[str, Array]]:
    """Tables without an n-gram: every token of `size` is equally likely."""
    tables: dict[str, dict[str, Array]] = {}
    for k in range(1, order + 1):
        count = size if k == 1 else 0
        table: dict[str, Array] = {
            "words": jnp.arange(count, dtype=jnp.int32),
            "log_probabilities": jnp.full(count, -jnp.log(jnp.float32(size)), jnp.float32),
        }
        if k < order:
            table["backoffs"] = jnp.zeros(count, jnp.float32)
            table["first_children"] = jnp.zeros(count + 1, jnp.int32)
            table["likeliest"] = jnp.zeros(count, jnp.int32)
        tables[f"order_{k}"] = table
    return tables


def _in_order(params: Mapping[str, Any]) -> list[Table]:
    tables = (params[f"order_{k}"] for k in range(1, len(params) + 1))
    return [{name: jnp.asarray(x) for name, x in table.items()} for table in tables]


def _children(tables: Sequence[Table], k: int, contexts: Array, words: Array) -> Array:
    """Indices [...] of the k-grams that go on from `contexts`, (k-1)-grams, with `words`; NONE where there is none.

    A binary search among what goes on from a context.
    """
    children = tables[k - 1]["words"]
    if not len(children):
        return jnp.full(contexts.shape, NONE, jnp.int32)
    low, end = _range(tables[k - 2], contexts)

    def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = low + (high - low) // 2
        is_below = children[middle] < words
        return jnp.where(is_below & (low < high), middle + 1, low), jnp.where(is_below, high, middle)

    most = min(len(children), len(tables[0]["words"]))
    low, _ = lax.fori_loop(0, most.bit_length(), halve, (low, end))
    return jnp.where((low < end) & (children[low] == words), low, NONE)


def _range(table: Table, contexts: Array) -> tuple[Array, Array]:
    """Where in the next table what goes on from `contexts` begins and ends; nothing goes on from NONE."""
    at, is_one = jnp.maximum(contexts, 0), contexts != NONE
    first = table["first_children"]
    return jnp.where(is_one, first[at], 0), jnp.where(is_one, first[at + 1], 0)


def _backoff(table: Table, contexts: Array) -> Array:
    """Of each of `contexts` [...] the logarithm of its back-off weight; 0 for NONE."""
    weights = table["backoffs"]
    if not len(weights):
        return jnp.zeros(contexts.shape, jnp.float32)
    return jnp.where(contexts == NONE, 0, weights[jnp.maximum(contexts, 0)])


def _contexts(tables: Sequence[Table], tokens: Array) -> list[Array]:
    """Of each k from 1 to n - 1, indices [b, t] of the k-grams that end with tokens [b, t]; NONE for what is none."""
    nodes = [tokens]
    for k in range(2, len(tables)):
        shorter = jnp.pad(nodes[-1][:, :-1], ((0, 0), (1, 0)), constant_values=NONE)
        nodes.append(_children(tables, k, shorter, tokens))
    return nodes[: len(tables) - 1]


def _of_targets(tables: Sequence[Table], contexts: Sequence[Array], targets: Array) -> Array:
    """Log probabilities of `targets` [...] after `contexts`."""
    found = tables[0]["log_probabilities"][targets]
    for k, context in enumerate(contexts, 2):
        at = _children(tables, k, context, targets)
        longer = tables[k - 1]["log_probabilities"]
        found = found + _backoff(tables[k - 2], context)
        if len(longer):
            found = jnp.where(at == NONE, found, longer[jnp.maximum(at, 0)])
    return found


def _likeliest(tables: Sequence[Table], contexts: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """The likeliest tokens [...] after `contexts`."""
    found = jnp.full(shape, jnp.argmax(tables[0]["log_probabilities"]), jnp.int32)
    for table, context in zip(tables, contexts, strict=False):
        if len(table["likeliest"]):
            found = jnp.where(context == NONE, found, table["likeliest"][jnp.maximum(context, 0)])
    return found


def _distributions(tables: Sequence[Table], contexts: Sequence[Array], rows: int) -> Array:
    """Log probabilities [rows, v] of all tokens after `contexts`, each [rows]."""
    unigrams = tables[0]["log_probabilities"]
    found = jnp.broadcast_to(unigrams, (rows, len(unigrams)))
    for k, context in enumerate(contexts, 2):
        found = found + _backoff(tables[k - 2], context)[:, None]
        found = _overwrite(found, tables[k - 1], *_range(tables[k - 2], context))
    return found


def _overwrite(found: Array, table: Table, first: Array, end: Array) -> Array:
    """`found` [b, v] with what `table` gives for row b from `first` [b] to `end` [b].

    Some contexts are followed by three words and some by thousands: what all rows have together goes by in pieces of
    one size.
    """
    rows, size = found.shape
    if not rows or not len(table["words"]):
        return found
    ends = jnp.cumsum(end - first, dtype=jnp.int32)
    piece = min(_AT_ONCE, rows * size)

    def write(state: tuple[Array, Array]) -> tuple[Array, Array]:
        at, found = state
        items = at + jnp.arange(piece, dtype=jnp.int32)
        row = jnp.searchsorted(ends, items, side="right").astype(jnp.int32)  # past the last one where there is no more
        child = end[row] - (ends[row] - items)
        return at + piece, found.at[row, table["words"][child]].set(table["log_probabilities"][child], mode="drop")

    return lax.while_loop(lambda state: state[0] < ends[-1], write, (jnp.int32(0), found))[1]
