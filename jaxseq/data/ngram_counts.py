"""How often n-grams occur in token ids: all orders at once, each n-gram under the one that it begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.data.corpus import require_ids
from jaxseq.errors import InputError

_MOST = 2**31 - 1
"""Tokens that int32 can count."""


class GramCounts(NamedTuple):
    """The k-grams of one k that occur, [n] int32 each, sorted by context and then by word.

    Those of k = 1 are all ids of the vocabulary, in order, whether they occur or not.
    """

    contexts: NDArray[np.int32]
    """The first k - 1 tokens, as the index of that (k-1)-gram; 0 for k = 1."""
    words: NDArray[np.int32]
    """The last token."""
    suffixes: NDArray[np.int32]
    """The last k - 1 tokens, as the index of that (k-1)-gram; 0 for k = 1."""
    counts: NDArray[np.int32]
    """How often it occurs."""
    lefts: NDArray[np.int32]
    """How many different tokens stand before it, the start of a text being one of them. Of an n-gram that begins with
    the begin symbol, before which nothing can stand, how often it occurs (Heafield et al. 2013, "Scalable Modified
    Kneser-Ney Language Model Estimation", section 3.2)."""


@dataclass(frozen=True, eq=False)
class NGramCounts:
    """The n-grams of a text of every order from 1 on; `orders[k - 1]` has the k-grams."""

    orders: tuple[GramCounts, ...]
    vocabulary_size: int
    begin: int | None
    """The symbol that stands before every text and is never counted as a word; None for none."""

    @property
    def order(self) -> int:
        """The n of the longest n-grams."""
        return len(self.orders)


def count_ngrams(
    ids: ArrayLike,
    *,
    order: int,
    vocabulary_size: int,
    starts: Sequence[int] | NDArray[np.integer] = (),
    begin: int | None = None,
) -> NGramCounts:
    """The n-grams of ids [t] of 1 to `order` tokens.

    No n-gram goes across one of `starts`, the offsets in `ids` at which texts begin; of running text there are none,
    and it is one. Time is that of sorting t integers for each order.

    Args:
        begin: an id that `ids` do not hold. It is put before the token at each of `starts`, as "<s>" before a sentence,
            and stands in contexts alone.

    Raises:
        InputError: an id is not below `vocabulary_size`, a start is no offset in `ids`, or `ids` hold `begin`.
        ValueError: the order is below 1.
    """
    if order < 1:
        raise ValueError(f"there are no n-grams of {order} tokens: take an order of 1 or more")
    ids = np.asarray(ids, np.int32)
    if ids.size:
        require_ids(ids, vocab_size=vocabulary_size)
    tokens, places = _with_begins(ids, np.unique(np.asarray(starts, np.int64)), begin, vocabulary_size)
    # nodes[i]: the index of the k-gram whose last token is i; places[i] + 1 < k where it would go across a start.
    nodes = tokens
    orders = [_unigrams(tokens, vocabulary_size)]
    for k in range(2, order + 1):
        inside = np.flatnonzero(places >= k - 1)
        keys = nodes[inside - 1].astype(np.int64) * vocabulary_size + tokens[inside]
        found, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        contexts, words = np.divmod(found, vocabulary_size)
        suffixes = nodes[inside[first]]
        lefts = np.bincount(suffixes, minlength=len(orders[-1].words)) + _at_starts(nodes, places == k - 2, orders[-1])
        if begin is not None:
            lefts = np.where(_from_begin(orders, begin), orders[-1].counts, lefts)
        orders[-1] = orders[-1]._replace(lefts=lefts.astype(np.int32))
        orders.append(GramCounts(*(each.astype(np.int32) for each in (contexts, words, suffixes, counts, counts))))
        nodes = np.full(len(tokens), -1, np.int32)
        nodes[inside] = inverse
    return NGramCounts(tuple(orders), vocabulary_size, begin)


def _with_begins(
    ids: NDArray[np.int32], starts: NDArray[np.int64], begin: int | None, size: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The tokens, begin symbols put in, and of each how many of its text stand before it."""
    if len(starts) and not 0 <= starts[0] <= starts[-1] < len(ids):
        raise InputError(
            f"texts start at {starts[0]} to {starts[-1]}, there are {len(ids)} tokens: give offsets of tokens"
        )
    if begin is not None:
        if not 0 <= begin < size:
            raise InputError(f"the begin symbol is {begin}, the vocabulary has {size}: give one of its ids, or none")
        if (ids == begin).any():
            raise InputError(
                f"token {int((ids == begin).argmax())} is the begin symbol {begin}, which is put before texts here: "
                "leave it out"
            )
        ids = np.insert(ids, starts, begin)
        starts = starts + np.arange(len(starts))
    if len(ids) > _MOST:
        raise InputError(f"{len(ids):,} tokens are more than {_MOST:,}: count a part of them")
    at = np.arange(len(ids))
    since = np.zeros(len(ids), np.int64)
    since[starts] = starts
    return ids, at - np.maximum.accumulate(since)


def _unigrams(tokens: NDArray[np.int32], size: int) -> GramCounts:
    counts = np.bincount(tokens, minlength=size).astype(np.int32)
    nothing = np.zeros(size, np.int32)
    return GramCounts(nothing, np.arange(size, dtype=np.int32), nothing, counts, counts)


def _at_starts(nodes: NDArray[np.int32], at: NDArray[np.bool_], grams: GramCounts) -> NDArray[np.int64]:
    """1 for each of `grams` that a text begins with, else 0; `at` is True at the last token of such a one."""
    return np.bincount(np.unique(nodes[at]), minlength=len(grams.words))


def _from_begin(orders: Sequence[GramCounts], begin: int) -> NDArray[np.bool_]:
    """Which grams of the last of `orders` begin with the symbol `begin`."""
    first = orders[0].words == begin
    for grams in orders[1:]:
        first = first[grams.contexts]
    return first
