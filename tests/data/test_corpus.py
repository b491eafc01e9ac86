"""Documents laid end to end, and parts of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import Corpus, TokenChunk, join_chunks, require_ids, take_split
from jaxseq.errors import InputError

DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=5).filter(lambda d: any(map(any, d))))
def test_chunks_join_to_their_documents(documents):
    # Each document is a list of chunks; some have no tokens at all.
    chunks = [
        TokenChunk(np.asarray(ids, np.int32), index == 0)
        for document in documents
        for index, ids in enumerate(document)
    ]
    corpus = join_chunks(chunks)
    flat = [[i for ids in document for i in ids] for document in documents]
    parts = np.split(corpus.ids, corpus.document_starts)[1:]
    assert [part.tolist() for part in parts] == [document for document in flat if document]


def test_a_split_keeps_the_documents_that_start_in_it():
    corpus = Corpus(np.arange(100), np.array([0, 40, 90, 95]))
    shares = (0.9, 0.05, 0.05)
    expected = {"train": (0, 90, [0, 40]), "validation": (90, 95, [0]), "test": (95, 100, [0])}
    for name, (start, stop, documents) in expected.items():
        part = take_split(corpus, shares, name)
        assert part.ids.tolist() == list(range(start, stop))
        assert part.document_starts.tolist() == documents
        assert np.shares_memory(part.ids, corpus.ids)


@pytest.mark.parametrize(
    ("name", "shares", "message"),
    [
        ("valid", (0.9, 0.05, 0.05), "there is no split 'valid': choose train, validation or test"),
        ("test", (0.9, 0.1, 0.0), "the split 'test' is empty, data.split is (0.9, 0.1, 0.0) of 100 tokens"),
        ("test", (0.9, 0.3, 0.0), "add up to 1"),
    ],
)
def test_a_split_that_cannot_be_had_is_refused(name, shares, message):
    with pytest.raises(InputError) as caught:
        take_split(Corpus(np.arange(100), np.array([0])), shares, name)
    assert message in str(caught.value)


def test_text_without_tokens_is_refused():
    with pytest.raises(InputError, match="no tokens"):
        join_chunks([TokenChunk(np.zeros(0, np.int32), True)])


@pytest.mark.parametrize("ids", [[0, 3], [-1, 2], [2**40]])
def test_ids_outside_the_vocabulary_are_refused_where_they_are_joined(ids):
    chunks = [TokenChunk(np.arange(3), True), TokenChunk(np.array(ids), False)]
    with pytest.raises(InputError, match=f"token ids run from {min(ids)} to {max(ids)}, the vocabulary has 3"):
        join_chunks(chunks, vocab_size=3)
    assert join_chunks(chunks).vocab_size is None


def test_looking_through_ids_takes_them_piece_by_piece():
    ids = np.zeros(2**20 + 5, np.uint8)
    require_ids(ids, vocab_size=1)
    ids[-1] = 9
    with pytest.raises(InputError, match="from 0 to 9"):
        require_ids(ids, vocab_size=9)


def test_a_split_keeps_what_is_known_of_the_vocabulary():
    corpus = join_chunks([TokenChunk(np.arange(10), True)], vocab_size=10)
    assert take_split(corpus, (0.5, 0.5, 0.0), "validation").vocab_size == 10
