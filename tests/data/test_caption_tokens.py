"""Captions as token ids: which picture each belongs to, and which are too long to train on."""

import numpy as np
import pytest

from jaxseq.data import Captioned
from jaxseq.data.caption_tokens import encode_captions
from jaxseq.errors import InputError
from jaxseq.text import CaptionTokenizer, WordTokenizer

CAPTIONS = [
    [("english", "a dog"), ("korean", "개")],
    [("english", "a big dog that runs")],
    [("korean", "큰 개"), ("english", "a dog that runs"), ("english", "a dog")],
]
CAPTIONED = Captioned(["a", "b", "c"], np.zeros((3, 2, 2, 1), np.uint8), CAPTIONS)
FLAT = [caption for some in CAPTIONS for caption in some]
TOKENIZER = CaptionTokenizer.train(FLAT, ("english", "korean"), WordTokenizer.train)


def test_captions_are_in_the_order_of_their_pictures():
    tokens = encode_captions(TOKENIZER, CAPTIONED)
    assert tokens.places.tolist() == [0, 0, 1, 2, 2, 2]
    assert tokens.lengths.tolist() == [len(text.split()) + 1 for _, text in FLAT]
    offsets = tokens.captions.offsets
    for at, (language, text) in enumerate(FLAT):
        ids = tokens.captions.ids[offsets[at] : offsets[at + 1]]
        np.testing.assert_array_equal(ids, TOKENIZER.encode(language, text))


@pytest.mark.parametrize("longest", [2, 3, 5, 6])
def test_those_within_a_length_are_those_that_are_no_longer(longest):
    tokens = encode_captions(TOKENIZER, CAPTIONED)
    kept = tokens.within(longest)
    wanted = [at for at, (_, text) in enumerate(FLAT) if len(text.split()) + 1 <= longest]
    assert kept.places.tolist() == [tokens.places[at] for at in wanted]
    assert kept.lengths.tolist() == [tokens.lengths[at] for at in wanted]
    offsets = kept.captions.offsets
    for row, at in enumerate(wanted):
        assert TOKENIZER.decode(kept.captions.ids[offsets[row] : offsets[row + 1]]) == FLAT[at][1]
    assert (kept is tokens) == (longest == 6) == (not tokens.longer(longest))


def test_what_is_left_out_is_told():
    tokens = encode_captions(TOKENIZER, CAPTIONED)
    told = tokens.longer(3)
    assert told.startswith("2 of 6 captions are left out of training, which have more than 3 tokens; the first one, ")
    assert told.endswith("caption 3, has 6")
    with pytest.raises(InputError, match=r"all 6 captions .* have more than 1 tokens: raise --data\.longest"):
        tokens.within(1)
