"""How often words occur in texts: what vocabularies of words are made of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jaxseq.text.codepoints import grouped
from jaxseq.text.normalize import normalizer
from jaxseq.text.splitters import Splitter
from jaxseq.text.word_table import PIECE, Separators, WordTable


@dataclass(frozen=True)
class WordCounts:
    """Counts of the words of some texts."""

    words: Mapping[str, int]
    """How often each word occurs, in the order of their first appearance; `word_counts` in Keras."""
    documents: Mapping[str, int]
    """In how many of the texts each word occurs; `word_docs` in Keras. Empty where that was not counted."""
    texts: int
    """How many texts there were; `document_count` in Keras."""


def count_words(
    texts: Iterable[str], *, normalize: Sequence[str] = (), how: Splitter, documents: bool = True
) -> WordCounts:
    """Counts the words of `texts`, which are read and normalised one at a time.

    Args:
        normalize: names of `NORMALIZERS`, applied to each text first, in this order.
        how: splits a text into its words.
        documents: count in how many texts each word occurs too, which takes as long again.
    """
    if not documents and how.separators is not None:
        return _count_runs(texts, Separators(how.separators, normalize))
    normalized = normalizer(normalize)
    words: Counter[str] = Counter()
    containing: Counter[str] = Counter()
    number = 0
    for text in texts:
        found = how.split(normalized(text))
        words.update(found)
        number += 1
        if documents:
            containing.update(dict.fromkeys(found).keys())
    return WordCounts(dict(words), dict(containing), number)


def _count_runs(texts: Iterable[str], separators: Separators) -> WordCounts:
    """The same for words that are what stands between separators: those seen so far are counted by a table of them."""
    counts: Counter[bytes] = Counter()
    table, known = None, np.zeros(0, np.int64)
    number = read = renew = 0
    for group in grouped(texts, PIECE):
        number += len(group)
        for _, piece in separators.pieces(separators.apply(group)[0]):
            if table is None:
                counts.update(piece.split(separators.byte))
                del counts[b""]
            else:
                array, starts, sizes = separators.bounds(piece)
                found = table.find(array, starts, sizes)
                known += np.bincount(found + 1, minlength=len(known) + 1)[1:]
                new = found < 0
                data, begins, ends = array.tobytes(), starts[new].tolist(), (starts + sizes)[new].tolist()
                counts.update([data[begin:end] for begin, end in zip(begins, ends, strict=True)])
            read += len(piece)
            if read >= renew:
                counts = _added(counts, known)
                table, known = WordTable(list(counts)), np.zeros(len(counts), np.int64)
                renew = 4 * read
    words = {word.decode("utf-8", "surrogatepass"): count for word, count in _added(counts, known).items()}
    return WordCounts(words, {}, number)


def _added(counts: Counter[bytes], known: NDArray[np.int64]) -> Counter[bytes]:
    """`counts`, and for the first words of it as many more as `known` [n] says."""
    more = [*known.tolist(), *[0] * (len(counts) - len(known))]
    return Counter({word: count + extra for (word, count), extra in zip(counts.items(), more, strict=True)})
