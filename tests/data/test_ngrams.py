"""n-grams of token ids by a hash."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data.examples import Sequences, join_sequences
from jaxseq.data.ngrams import with_ngrams

_MASK = 2**64 - 1


def bucket(tokens, buckets) -> int:
    """The hash of one n-gram in Python's own integers."""
    value = 0
    for token in tokens:
        value = (value * 0x9E3779B97F4A7C15 + token + 1) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return (value ^ (value >> 31)) % buckets


def by_loop(sequence, *, most, first_id, buckets) -> list[int]:
    grams = [sequence[i : i + n] for n in range(2, most + 1) for i in range(len(sequence) - n + 1)]
    return [*sequence, *(first_id + bucket(gram, buckets) for gram in grams)]


def split(sequences: Sequences) -> list[list[int]]:
    return [
        sequences.ids[start:end].tolist()
        for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True)
    ]


@given(
    st.lists(st.lists(st.integers(0, 50), max_size=7), max_size=6),
    st.integers(1, 5),
    st.integers(1, 10**6),
)
@settings(deadline=None)
def test_each_sequence_has_its_n_grams_behind_it_as_a_loop_makes_them(sequences, most, buckets):
    found = with_ngrams(join_sequences(sequences), most=most, first_id=51, buckets=buckets)
    assert split(found) == [by_loop(each, most=most, first_id=51, buckets=buckets) for each in sequences]
    assert found.ids.dtype == np.int32


def test_the_hash_is_the_same_on_every_machine():
    found = with_ngrams(join_sequences([[3, 1, 4, 1, 5]]), most=3, first_id=10, buckets=2**22)
    expected = by_loop([3, 1, 4, 1, 5], most=3, first_id=10, buckets=2**22)
    assert split(found)[0] == expected
    assert expected[5] == 10 + bucket([3, 1], 2**22)


@pytest.mark.parametrize("most", [2, 3])
def test_n_grams_spread_over_the_buckets_like_random_numbers(most):
    tokens = np.random.default_rng(0).integers(0, 10_000, 20_000).tolist()
    found = with_ngrams(join_sequences([tokens]), most=most, first_id=0, buckets=2**16)
    grams = found.ids[len(tokens) :]
    expected = 2**16 * (1 - np.exp(-len(grams) / 2**16))
    assert len(np.unique(grams)) == pytest.approx(expected, rel=0.02)
