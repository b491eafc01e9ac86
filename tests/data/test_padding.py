"""Padding: against Keras, and against a loop over rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import pad_sequences, padding_mask
from jaxseq.errors import InputError

SIDES = ("pre", "post")
SEQUENCES = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=6)


@pytest.mark.parametrize("truncating", SIDES)
@pytest.mark.parametrize("padding", SIDES)
@settings(deadline=None, max_examples=100)
@given(sequences=SEQUENCES, length=st.none() | st.integers(1, 7), width=st.integers(0, 3), value=st.integers(-2, 2))
def test_it_is_what_keras_makes_of_ids_and_of_vectors(sequences, length, width, value, padding, truncating):
    keras = pytest.importorskip("keras").utils
    if width:  # vectors [t, d]
        sequences = [[[token + place for place in range(width)] for token in sequence] for sequence in sequences]
    how = {"padding": padding, "truncating": truncating, "value": value}
    found = pad_sequences(sequences, length=length, **how)
    expected = keras.pad_sequences(sequences, maxlen=length, **how)
    assert found.dtype == np.int32
    assert found.tolist() == expected.tolist()


@settings(deadline=None, max_examples=200)
@given(SEQUENCES, st.integers(0, 7), st.sampled_from(SIDES), st.sampled_from(SIDES))
def test_every_row_is_its_sequence_cut_and_filled_up(sequences, length, padding, truncating):
    found = pad_sequences(sequences, length=length, padding=padding, truncating=truncating, value=-1)
    mask = padding_mask([len(sequence) for sequence in sequences], length=length, padding=padding)
    assert found.shape == mask.shape == (len(sequences), length)
    for row, kept, sequence in zip(found.tolist(), mask.tolist(), sequences, strict=True):
        cut = sequence[:length] if truncating == "post" else sequence[len(sequence) - min(len(sequence), length) :]
        filling = [-1] * (length - len(cut))
        assert row == (filling + cut if padding == "pre" else cut + filling)
        assert kept == [value != -1 for value in row]


def test_a_text_that_holds_the_filling_is_not_padding():
    """tf#38043."""
    assert padding_mask([3], length=4).tolist() == [[True, True, True, False]]
    assert pad_sequences([[0, 5, 0]], length=4).tolist() == [[0, 5, 0, 0]]


def test_fractions_texts_and_arrays_are_values_too():
    rows = pad_sequences([np.array([[0.5, 1.0]]), np.zeros((0, 2))], length=2, value=np.nan, dtype=np.float32)
    assert rows.shape == (2, 2, 2)
    assert rows[0, 0].tolist() == [0.5, 1.0]
    assert np.isnan(rows[0, 1]).all()
    assert np.isnan(rows[1]).all()
    assert pad_sequences([["to", "be"], ["or"]], value="", dtype=object).tolist() == [["to", "be"], ["or", ""]]


def test_nothing_is_no_row():
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences([], length=3).shape == (0, 3)
    assert pad_sequences([[], []]).shape == (2, 0)


def test_the_rows_are_a_new_array():
    sequence = np.array([1, 2], np.int32)
    rows = pad_sequences([sequence])
    rows += 1
    assert sequence.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("sequences", "options", "message"),
    [
        ([[1]], {"padding": "left"}, "padding is 'left': give 'pre' or 'post'"),
        ([[1]], {"truncating": "left"}, "truncating is 'left': give 'pre' or 'post'"),
        ([[1]], {"length": -1}, "length is -1: give 0 or more"),
        ([[1], 2], {}, "sequence 1 is 2: give a sequence of values"),
        ([[1], [[2]]], {}, "sequence 1 holds values of the shape (1,), one before it ()"),
        ([[1, 2**31]], {}, "2147483648 does not fit int32"),
        ([[-1]], {"dtype": np.uint8}, "-1 does not fit uint8, which goes from 0 to 255"),
    ],
)
def test_what_cannot_be_padded_is_refused_in_one_line(sequences, options, message):
    with pytest.raises(InputError) as caught:
        pad_sequences(sequences, **options)
    assert message in str(caught.value)


def test_fractions_are_not_cut_to_integers():
    with pytest.raises(TypeError, match="Cannot cast"):
        pad_sequences([[0.5]])
