"""Words found many at a time: as a dict finds them, whatever their length and their bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.text import word_table
from jaxseq.text.splitters import FILTERS, filtered_words
from jaxseq.text.word_table import Separators, WordTable

# Alike in the first bytes, of every length about the borders of blocks, with bytes that are 0.
WORDS = st.integers(1, 70).flatmap(lambda size: st.sampled_from([b"a" * size, b"a" * (size - 1) + b"b", b"\0" * size]))
WORDS |= st.binary(min_size=1, max_size=40).filter(lambda word: b" " not in word)


@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS, max_size=60, unique=True), st.lists(WORDS, max_size=60))
def test_a_word_is_found_where_it_is_and_only_there(known, others):
    table = WordTable(known)
    text = others + known[::-1] + known
    found = table.find(*Separators(" ").bounds(b" ".join(text)))
    assert found.tolist() == [known.index(word) if word in known else -1 for word in text]


def test_a_crowded_table_finds_all():
    known = [b"%d-" % number * (1 + number % 9) for number in range(50_000)]
    found = WordTable(known).find(*Separators(" ").bounds(b" ".join(known)))
    assert found.tolist() == list(range(50_000))


def test_a_table_of_nothing_finds_nothing():
    assert WordTable([]).find(*Separators(" ").bounds(b"to be")).tolist() == [-1, -1]
    assert WordTable([b"to"]).find(*Separators(" ").bounds(b"  ")).tolist() == []


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text("aB, \n가\xa0é\ud800", max_size=30), min_size=1, max_size=5), st.integers(1, 20))
def test_pieces_hold_the_words_of_the_texts_and_tear_none(texts, size):
    separators = Separators(" " + FILTERS + "\xa0", ("lowercase",))
    expected = [
        word.encode("utf-8", "surrogatepass")
        for text in texts
        for word in filtered_words(text.lower(), filters=FILTERS + "\xa0")
    ]
    data, sizes = separators.apply(texts)
    assert len(data) == sum(sizes) + len(texts) - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_table, "PIECE", size)
        pieces = list(separators.pieces(data))
    assert b"".join(piece for _, piece in pieces) == data
    assert [offset for offset, _ in pieces] == np.cumsum([0, *(len(piece) for _, piece in pieces)])[:-1].tolist()
    words = []
    for _, piece in pieces:
        array, starts, lengths = separators.bounds(piece)
        words += [
            array[start : start + n].tobytes() for start, n in zip(starts.tolist(), lengths.tolist(), strict=True)
        ]
    assert words == expected
