"""n-gram models in back-off form, as tables that a model of `jaxseq.models` looks things up in.

The probability of a word after a context is that of their n-gram where there is one; else the context's back-off weight
times the probability after the context without its first token (Katz 1987). A model can be written so whatever its
smoothing, interpolated or not.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError


class GramTable(NamedTuple):
    """The n k-grams of one k, sorted by context and then by word; what a context may be followed by lies together.

    The k-grams that begin with (k-1)-gram c are those from `first_children[c]` of the table before this one on, until
    `first_children[c + 1]`. The last three are None in the table of the longest n-grams.
    """

    words: NDArray[np.int32]
    """The last token [n]; for k = 1 all ids in order."""
    log_probabilities: NDArray[np.float32]
    """That of the last token after the others, in nats [n]."""
    backoffs: NDArray[np.float32] | None = None
    """Logarithm of the weight of what the k tokens as a context say nothing of [n]; 0 where they are no context."""
    first_children: NDArray[np.int32] | None = None
    """[n + 1]."""
    likeliest: NDArray[np.int32] | None = None
    """The likeliest token after the k tokens, the lowest id of several [n]."""


class BackoffTables(NamedTuple):
    """An n-gram model: `grams[k - 1]` has the k-grams."""

    grams: tuple[GramTable, ...]

    @property
    def order(self) -> int:
        """The n of the longest n-grams."""
        return len(self.grams)

    @property
    def vocabulary_size(self) -> int:
        """Ids that there are."""
        return len(self.grams[0].words)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for grams in self.grams for array in grams if array is not None)

    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """The arrays by name, as the parameters of `jaxseq.models.NGram`."""
        tables = ({name: x for name, x in grams._asdict().items() if x is not None} for grams in self.grams)
        return {f"order_{k}": table for k, table in enumerate(tables, 1)}

    @classmethod
    def from_params(cls, params: Mapping[str, Mapping[str, np.ndarray]]) -> "BackoffTables":
        """The tables whose `params` these are."""
        tables = (params[f"order_{k}"] for k in range(1, len(params) + 1))
        return cls(tuple(GramTable(**{name: np.asarray(x) for name, x in table.items()}) for table in tables))

    def contexts(self, k: int) -> NDArray[np.int32]:
        """Of each k-gram, k above 1, the index of the (k-1)-gram that it begins with [n]."""
        first = self.grams[k - 2].first_children
        assert first is not None
        return np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))

    def tokens(self, k: int) -> NDArray[np.int32]:
        """All k-grams [n, k]."""
        columns, at = [], np.arange(len(self.grams[k - 1].words))
        for j in range(k, 0, -1):
            columns.append(self.grams[j - 1].words[at])
            at = self.contexts(j)[at] if j > 1 else at
        return np.stack(columns[::-1], axis=1)


def backoff_tables(
    words: Sequence[NDArray[np.int32]],
    contexts: Sequence[NDArray[np.int32]],
    log_probabilities: Sequence[NDArray[np.floating]],
    backoffs: Sequence[NDArray[np.floating]],
) -> BackoffTables:
    """The tables of k-grams of every order, those of `contexts` (of k = 1: any) and `words` sorted by both.

    Args:
        backoffs: of all orders but the last.

    Raises:
        InputError: there are more n-grams of one order than int32 counts.
    """
    if (most := max(map(len, words))) >= 2**31:
        raise InputError(f"{most:,} n-grams of one order are more than 2^31: take a lower order or less text")
    grams = []
    for k, (word, probability) in enumerate(zip(words, log_probabilities, strict=True)):
        table = GramTable(word.astype(np.int32), probability.astype(np.float32))
        if k + 1 < len(words):
            first = np.searchsorted(contexts[k + 1], np.arange(len(word) + 1)).astype(np.int32)
            table = table._replace(backoffs=backoffs[k].astype(np.float32), first_children=first)
        grams.append(table)
    return BackoffTables(_with_likeliest(tuple(grams)))


class Index:
    """Finds n-grams, many at a time; those of each order are added in turn, from 2 on."""

    def __init__(self, vocabulary_size: int) -> None:
        self._size = vocabulary_size
        self._keys = [np.arange(vocabulary_size, dtype=np.int64)]

    @classmethod
    def of(cls, tables: BackoffTables) -> "Index":
        """That of all n-grams of tables."""
        index = cls(tables.vocabulary_size)
        for k in range(2, tables.order + 1):
            index.add(tables.contexts(k), tables.grams[k - 1].words)
        return index

    def add(self, contexts: NDArray[np.integer], words: NDArray[np.integer]) -> None:
        """The n-grams of the next order, contexts and last words [n] sorted by both."""
        self._keys.append(contexts.astype(np.int64) * self._size + words)

    def children(self, k: int, contexts: NDArray[np.integer], words: NDArray[np.integer]) -> NDArray[np.int64]:
        """Indices [n] of the k-grams of these contexts, indices of (k-1)-grams, and words; -1 for what is none."""
        keys = self._keys[k - 1]
        wanted = contexts.astype(np.int64) * self._size + words
        if not len(keys):
            return np.full(len(wanted), -1, np.int64)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where((contexts >= 0) & (keys[at] == wanted), at, -1)

    def grams(self, tokens: NDArray[np.integer]) -> NDArray[np.int64]:
        """Indices [n] of k-grams [n, k]; -1 for what is none."""
        at = tokens[:, 0].astype(np.int64)
        for j in range(1, tokens.shape[1]):
            at = self.children(j + 1, at, tokens[:, j])
        return at


def _with_likeliest(grams: tuple[GramTable, ...]) -> tuple[GramTable, ...]:
    """`grams` with the likeliest token after each context.

    It is the likeliest of those that the context's n-grams give, or else what is likeliest after the context without
    its first token. Sums are those of float32 that a look-up makes, so that equal ones are equal here too.
    """
    tables = BackoffTables(grams)
    index = Index.of(tables)
    root = int(grams[0].log_probabilities.argmax())
    # Of every order so far: the likeliest token after each k-gram and its log probability; k = 0 is no context.
    words, values = [np.array([root])], [grams[0].log_probabilities[[root]]]
    for k in range(1, len(grams)):
        table, below = grams[k - 1], grams[k]
        assert table.backoffs is not None
        assert table.first_children is not None
        tokens = tables.tokens(k)
        word, value = _after_shorter(index, tokens, words, values)
        value = value + table.backoffs
        counts = np.diff(table.first_children)
        given = np.flatnonzero(counts)
        if len(given):
            begins = table.first_children[given]
            most = np.maximum.reduceat(below.log_probabilities, begins)
            is_most = below.log_probabilities == np.repeat(most, counts[given])
            child = np.minimum.reduceat(np.where(is_most, below.words, np.iinfo(np.int32).max), begins)
            at = index.children(k + 1, given, word[given])
            is_given, best = at >= 0, (word[given], value[given])
            lower = (most > best[1]) | ((most == best[1]) & (child < best[0]))
            take = is_given | lower
            # Where the longer n-gram is less likely than the shorter one says, another word may be the likeliest.
            unclear = given[is_given & (most <= best[1]) & (below.log_probabilities[at] < best[1])]
            word[given], value[given] = np.where(take, child, best[0]), np.where(take, most, best[1])
            for context in unclear:
                row = _distribution(tables, index, tokens[context])
                word[context], value[context] = row.argmax(), row.max()
        words.append(word)
        values.append(value)
    likeliest = (word.astype(np.int32) for word in words[1:])
    return (*(table._replace(likeliest=word) for table, word in zip(grams[:-1], likeliest, strict=True)), grams[-1])


def _after_shorter(
    index: Index, tokens: NDArray[np.int32], words: Sequence[NDArray], values: Sequence[NDArray]
) -> tuple[NDArray, NDArray]:
    """What `words` and `values` of lower orders say of k-grams [n, k] without their first token, both [n].

    A file of others may lack an n-gram that is the end of a longer one: then without their first two tokens, and so on.
    """
    count, k = tokens.shape
    word, value = np.repeat(words[0], count), np.repeat(values[0], count)
    left = np.arange(count)
    for j in range(k - 1, 0, -1):
        at = index.grams(tokens[left, k - j :])
        found = at >= 0
        word[left[found]], value[left[found]] = words[j][at[found]], values[j][at[found]]
        left = left[~found]
    return word, value


def _distribution(tables: BackoffTables, index: Index, context: NDArray[np.int32]) -> NDArray[np.float32]:
    """Log probabilities [v] of the token after a context [k]."""
    row = tables.grams[0].log_probabilities.copy()
    for j in range(1, len(context) + 1):
        table, below = tables.grams[j - 1], tables.grams[j]
        at = index.grams(context[None, len(context) - j :])[0]
        if at < 0:
            continue
        assert table.backoffs is not None
        assert table.first_children is not None
        row += table.backoffs[at]
        children = slice(table.first_children[at], table.first_children[at + 1])
        row[below.words[children]] = below.log_probabilities[children]
    return row
