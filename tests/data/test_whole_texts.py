"""Texts a row each: every one once, padded by its own length alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.examples import join_sequences
from jaxseq.data.whole_texts import WholeTextLoader
from jaxseq.errors import InputError

TEXTS = st.lists(st.lists(st.integers(1, 9), max_size=70), min_size=1, max_size=20)


@given(TEXTS, st.integers(1, 5))
def test_every_text_comes_up_once_in_a_row_that_its_own_length_gives(texts, batch_size):
    loader = WholeTextLoader(join_sequences(texts), batch_size=batch_size)
    seen = []
    for step in range(loader.steps_per_epoch):
        batch, which = loader(step), loader.rows(step)
        length = batch.tokens.shape[1]
        assert batch.tokens.shape == (batch_size, length)
        for row, text in enumerate(which.tolist()):
            assert batch.tokens[row, : batch.sizes[row]].tolist() == texts[text]
            assert length == next(2**n for n in range(4, 9) if len(texts[text]) <= 2**n)
        assert not batch.tokens[np.arange(length) >= batch.sizes[:, None]].any()
        assert not batch.sizes[len(which) :].any()
        seen += which.tolist()
    assert sorted(seen) == list(range(len(texts)))
    assert loader.uniform is (len({loader(step).tokens.shape for step in range(loader.steps_per_epoch)}) == 1)


def test_a_hash_follows_from_the_words_and_their_order_alone():
    def hashes(texts, batch_size):
        loader = WholeTextLoader(join_sequences(texts), batch_size=batch_size)
        found = {}
        for step in range(loader.steps_per_epoch):
            found |= dict(zip(loader.rows(step).tolist(), loader(step).hashes.tolist(), strict=False))
        return [found[text] for text in range(len(texts))]

    first = hashes([[3, 1, 2], [1, 2, 3], [3, 1, 2], [], [3, 1, 2, 0]], 2)
    assert first[0] == first[2]
    assert len(set(first)) == 4
    assert hashes([[9] * 40, [1, 2, 3], [3, 1, 2]], 3)[1:] == [first[1], first[0]]
    assert first[0] == 0x6AE8DC8A  # the CRC-32 of 3, 1, 2 as 12 bytes, the lower ones first


def test_a_batch_without_rows_is_told():
    with pytest.raises(InputError, match="batch_size is 0: give a number above 0"):
        WholeTextLoader(join_sequences([[1]]), batch_size=0)
