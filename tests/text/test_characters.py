"""The character tokenizer, on real text and on the corners of Unicode."""

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_strategies import TEXTS

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import CharTokenizer, Vocabulary
from jaxseq.text.codepoints import CHUNK, code_points, count_characters, text_of
from jaxseq.text.normalize import NORMALIZERS

modest = settings(deadline=None, max_examples=100)


def may_follow(names: list[str]) -> bool:
    """Whether `normalizer` takes the names in this order."""
    making_spaces = [names.index(name) for name in ("letters_only", "spaced_punctuation") if name in names]
    return all("collapse_whitespace" not in names[at:] for at in making_spaces)


NAMES = st.lists(st.sampled_from(sorted(NORMALIZERS)), max_size=3).filter(may_follow)


@modest
@given(TEXTS)
def test_code_points_are_those_of_ord_and_come_back(text: str) -> None:
    assert code_points(text).tolist() == [ord(character) for character in text]
    assert text_of(code_points(text)) == text


@modest
@given(st.lists(TEXTS, max_size=5))
def test_counts_are_those_of_a_counter(texts: list[str]) -> None:
    assert count_characters(texts) == Counter("".join(texts))


def test_counts_of_short_and_long_texts_add_up() -> None:
    texts = ["ab", "😀" * (CHUNK + 1), "", *["b"] * 10, "a" * (2 * CHUNK)]
    assert count_characters(iter(texts)) == Counter("".join(texts))


@modest
@given(TEXTS, NAMES)
def test_decoding_what_was_encoded_gives_the_normalised_text(text: str, names: list[str]) -> None:
    tokenizer = CharTokenizer.train(text + ".", normalize=names)
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int32
    assert tokenizer.decode(ids) == tokenizer.normalize(text)


@modest
@given(TEXTS)
def test_ids_are_ranks_by_frequency(text: str) -> None:
    tokenizer = CharTokenizer.train(text + ".")
    counts = Counter(text + ".")
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    assert tokenizer.encode(text).tolist() == [ranked.index(character) for character in text]


def test_lower_cased_shakespeare_has_39_symbols_the_space_first(shakespeare: str) -> None:
    tokenizer = CharTokenizer.train(shakespeare, normalize=("lowercase",))
    counts = Counter(shakespeare.lower())
    assert len(tokenizer.vocabulary) == 39
    assert tokenizer.vocabulary.symbols[:6] == (" ", "e", "t", "o", "a", "i")
    assert [counts[symbol] for symbol in tokenizer.vocabulary.symbols] == sorted(counts.values(), reverse=True)
    ids = tokenizer.encode(shakespeare)
    assert len(ids) == 1_115_394
    assert np.bincount(ids).tolist() == sorted(counts.values(), reverse=True)
    assert tokenizer.decode(ids) == shakespeare.lower()


def test_cased_shakespeare_has_65_symbols(shakespeare: str) -> None:
    assert len(CharTokenizer.train(shakespeare).vocabulary) == 65


def test_the_three_plays_have_375542_characters_and_50_symbols(data_folder: Path) -> None:
    files = [data_folder / "gutenberg_plays" / f"shakespeare-{play}.txt" for play in ("caesar", "hamlet", "macbeth")]
    plays = [file.read_bytes().decode("latin-1") for file in files]
    tokenizer = CharTokenizer.train(plays, normalize=("lowercase",))
    ids = [tokenizer.encode(play) for play in plays]
    assert sum(map(len, ids)) == 375_542
    assert len(tokenizer.vocabulary) == 50
    assert "".join(map(tokenizer.decode, ids)) == "".join(plays).lower()


def test_a_corpus_in_pieces_trains_the_same_tokenizer(shakespeare: str) -> None:
    lines = shakespeare[:100_000].splitlines(keepends=True)
    assert CharTokenizer.train(iter(lines)) == CharTokenizer.train("".join(lines))


def test_reviews_of_2800_symbols_equal_a_dict_and_come_back(reviews: str) -> None:
    tokenizer = CharTokenizer.train(reviews)
    ids = tokenizer.encode(reviews)
    table = {symbol: index for index, symbol in enumerate(tokenizer.vocabulary.symbols)}
    assert len(table) == 2_800
    assert ids[-200_000:].tolist() == [table[character] for character in reviews[-200_000:]]
    assert tokenizer.decode(ids) == reviews


def test_encoding_needs_little_memory_beside_the_ids(reviews: str) -> None:
    tokenizer = CharTokenizer.train(reviews)
    text = reviews * 2  # 24 MB, 10 million characters
    tracemalloc.start()
    ids = tokenizer.encode(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.75 * ids.nbytes


def test_a_vocabulary_beyond_16_bits_keeps_its_ids() -> None:
    text = "".join(map(chr, range(0x20000, 0x20000 + 40_000)))
    tokenizer = CharTokenizer.train(text)
    assert tokenizer.encode(text).tolist() == list(range(40_000))
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_ascii_symbols_with_ids_beyond_a_byte_keep_them() -> None:
    rare = "".join(map(chr, range(32, 127)))
    for others in (158, 159, 160, 161, 300):  # the last ASCII symbol has id 252, 253, 254, 255, 394
        text = "".join(map(chr, range(0xAC00, 0xAC00 + others))) * 2 + rare
        tokenizer = CharTokenizer.train(text)
        assert tokenizer.encode(rare).tolist() == list(range(others, others + 95))
        with pytest.raises(UnknownSymbolError, match=r"'\\x7f' \(U\+007F\) at offset 1 "):
            tokenizer.encode("a\x7f")


@pytest.mark.parametrize("symbol", ["@", "\0", "값", "😀", "\U0010ffff", "\ud800"])
@pytest.mark.parametrize("offset", [0, 7, CHUNK + 3])
def test_an_unknown_symbol_is_named_with_its_offset_and_the_remedy(symbol: str, offset: int) -> None:
    tokenizer = CharTokenizer.train("abc")
    with pytest.raises(UnknownSymbolError) as caught:
        tokenizer.encode("a" * offset + symbol + "b@")
    assert str(caught.value) == (
        f"{symbol!r} (U+{ord(symbol):04X}) at offset {offset} of the text is not among the 3 symbols of the "
        "vocabulary: leave it out, or train with <unk> for rare symbols (--data.min-count 2, or unknown=True)"
    )


def test_the_offset_counts_in_the_normalised_text() -> None:
    tokenizer = CharTokenizer.train("abc ", normalize=("collapse_whitespace",))
    with pytest.raises(UnknownSymbolError, match="at offset 2 of the normalised text"):
        tokenizer.encode("a  \n @")


def test_an_unk_stands_for_unknown_symbols_when_asked_for() -> None:
    tokenizer = CharTokenizer.train("aab", unknown=True)
    assert tokenizer.vocabulary.symbols == ("<unk>", "a", "b")
    assert tokenizer.encode("ab@😀").tolist() == [1, 2, 0, 0]
    assert tokenizer.decode([1, 0, 2]) == "a\ufffdb"


def test_a_minimal_count_leaves_rare_symbols_to_the_unk() -> None:
    tokenizer = CharTokenizer.train("aabbc", min_count=2)
    assert tokenizer.vocabulary.symbols == ("<unk>", "a", "b")
    assert tokenizer.encode("cab").tolist() == [0, 1, 2]


def test_specials_take_the_first_ids_and_have_no_text() -> None:
    tokenizer = CharTokenizer.train("aab", specials=("<pad>", "<unk>", "<eos>"), unknown=True)
    assert tokenizer.vocabulary.symbols == ("<pad>", "<unk>", "<eos>", "a", "b")
    assert tokenizer.encode("<b").tolist() == [1, 4]
    assert tokenizer.decode([0, 3, 4, 2, 1, 0]) == "ab\ufffd"


def test_no_text_trains_no_tokenizer() -> None:
    for text in ("", [], ["", ""]):
        with pytest.raises(InputError, match="no text to train a tokenizer on"):
            CharTokenizer.train(text)


@pytest.mark.parametrize("vocabulary", [Vocabulary(("a", "bc")), Vocabulary(("a",), ("x",))])
def test_a_vocabulary_of_other_than_characters_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(InputError, match="cannot stand in the vocabulary of a char tokenizer"):
        CharTokenizer(vocabulary)


def test_a_minimal_count_that_no_symbol_reaches_is_refused() -> None:
    with pytest.raises(InputError, match="min_count is 4, the most frequent symbol occurs 3 times"):
        CharTokenizer.train("aaab", min_count=4)


def test_a_text_in_another_form_than_the_vocabulary_is_told_to_compose_its_letters() -> None:
    tokenizer = CharTokenizer.train("café e 한글")
    for text in ("cafe\u0301", "\u1112\u1161\u11ab"):
        with pytest.raises(UnknownSymbolError, match=r"give the text in Unicode's form C, leave it out, or train with"):
            tokenizer.encode(text)
