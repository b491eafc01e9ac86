"""The tokenizer of jamo, on real reviews and against the plain functions on Hangul."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_strategies import TEXTS

from jaxseq.errors import UnknownSymbolError
from jaxseq.text import JamoTokenizer
from jaxseq.text.codepoints import CHUNK
from jaxseq.text.hangul import MARK, compose, decompose

modest = settings(deadline=None, max_examples=100)


@modest
@given(TEXTS, st.sampled_from([MARK, "|"]), st.sampled_from([(), ("nfc", "lowercase")]))
def test_decoding_what_was_encoded_gives_the_normalised_text(text: str, mark: str, names: tuple[str, ...]) -> None:
    tokenizer = JamoTokenizer.train(text + ".", normalize=names, mark=mark)
    assert tokenizer.decode(tokenizer.encode(text)) == tokenizer.normalize(text)


@modest
@given(TEXTS)
def test_ids_are_those_of_the_decomposed_characters(text: str) -> None:
    tokenizer = JamoTokenizer.train(text + ".")
    counts = Counter(decompose(text + "."))
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    assert tokenizer.vocabulary.symbols == tuple(ranked)
    assert tokenizer.encode(text).tolist() == [ranked.index(symbol) for symbol in decompose(text)]


@modest
@given(st.lists(st.integers(0, 69), max_size=60))
def test_ids_in_any_order_decode_without_an_error(ids: list[int]) -> None:
    tokenizer = JamoTokenizer.train("값나다람,똯뼮 ㄳ" + "".join(map(chr, range(0x3131, 0x3164))))
    ids = [index % len(tokenizer.vocabulary) for index in ids]
    assert tokenizer.decode(ids) == compose("".join(tokenizer.vocabulary.symbols[index] for index in ids))


def test_real_reviews_take_436_symbols_and_come_back(reviews: str) -> None:
    tokenizer = JamoTokenizer.train(reviews)
    ids = tokenizer.encode(reviews)
    assert len(tokenizer.vocabulary) == 436
    assert tokenizer.vocabulary.symbols[0] == MARK
    assert len(ids) == 13_864_509
    assert tokenizer.decode(ids) == reviews


def test_an_unknown_jamo_is_named_with_its_syllable() -> None:
    tokenizer = JamoTokenizer.train("가나다", normalize=("nfc",))
    with pytest.raises(UnknownSymbolError) as caught:
        tokenizer.encode("가" * (CHUNK + 1) + "값")
    assert str(caught.value) == (
        f"'값' (U+AC12) at offset {CHUNK + 1} of the normalised text needs 'ㅄ' (U+3144), which is not among the 5 "
        "symbols of the vocabulary: leave it out, or train with <unk> for rare symbols (--data.min-count 2, or "
        "unknown=True)"
    )


def test_an_unk_stands_for_an_unknown_jamo() -> None:
    tokenizer = JamoTokenizer.train("가나", unknown=True)
    assert tokenizer.vocabulary.symbols == ("<unk>", MARK, "ㅏ", "ㄱ", "ㄴ")
    assert tokenizer.encode("간값").tolist() == [3, 2, 4, 1, 3, 2, 0, 1]
    assert tokenizer.decode([3, 2, 4, 1, 3, 2, 0, 1]) == f"간ㄱㅏ\ufffd{MARK}"
