"""The tokenizer of morphemes: its law, ids, what comes back joined, streams, versions of the analyser."""

import json
import lzma
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_morphemes import TEXTS, without_kiwipiepy
from text_strategies import splits

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import (
    MorphemeTokenizer,
    WordOptions,
    WordTokenizer,
    morpheme_tokenizer,
    tag_texts,
    tagged_line,
    tokenizer_from_json,
    tokenizer_from_text,
)
from jaxseq.text.morphemes import analyser

FILMS = "영화를 봤다. 영화가 좋았다!\n그는 집에 갔다 ㅋㅋ 😀\n"
KOREAN = st.lists(
    st.sampled_from(["영화", "를", "는", "봤다", "좋은데", "?", " ", "\n", "(", ")", "ㅋ", "😀", "a/b"]), max_size=20
)
few = settings(max_examples=60, deadline=None)


def options(**changed) -> WordOptions:
    return WordOptions(splitter="whitespace", **changed)


@pytest.fixture(scope="module")
def lines(data_folder: Path) -> list[str]:
    """2,000 film reviews."""
    with lzma.open(data_folder / "nsmc" / "nsmc_reviews_lm.txt.xz", "rt", encoding="utf-8", newline="") as file:
        return [line.removesuffix("\n") for line in islice(file, 2000)]


def known(*texts: str) -> MorphemeTokenizer:
    """A tokenizer that knows all morphemes of the texts, and line ends."""
    return MorphemeTokenizer.train([*texts, "\n"])


@few
@given(TEXTS | KOREAN.map("".join))
def test_decoding_what_was_encoded_gives_the_normalised_text(text):
    tokenizer = known(text)
    assert tokenizer.decode(tokenizer.encode(text)) == tokenizer.normalize(text)
    assert tokenizer.normalize(text).count("\n") == text.count("\n")


@few
@given(TEXTS | KOREAN.map("".join), st.data())
def test_pieces_join_to_the_whole_for_every_split(text, data):
    tokenizer = known(text, FILMS)
    shuffled = data.draw(st.permutations(range(tokenizer.vocabulary_size)))
    for ids in (tokenizer.encode(text).tolist(), shuffled):
        stream = tokenizer.stream()
        whole = tokenizer.decode(ids)
        for _ in range(2):  # a flushed decoder is a new one
            assert "".join([*map(stream.push, data.draw(splits(ids))), stream.flush()]) == whole


@few
@given(st.lists(st.integers(2, 16), max_size=12), st.lists(st.integers(2, 16), max_size=3))
def test_a_text_once_returned_is_final(ids, more):
    tokenizer = MorphemeTokenizer.train(FILMS)
    assert tokenizer.decode([*ids, *more]).startswith(tokenizer.stream().push(ids))


@few
@given(TEXTS, TEXTS)
def test_json_brings_back_an_equal_tokenizer(text, other):
    tokenizer = known(text)
    again = tokenizer_from_text(json.dumps(tokenizer.to_json()))
    assert again == tokenizer
    assert again.fingerprint == tokenizer.fingerprint
    assert again.encode(other).tolist() == tokenizer.encode(other).tolist()


def test_ids_are_padding_unknown_and_the_most_frequent_first():
    tokenizer = MorphemeTokenizer.train(FILMS)
    assert tokenizer.vocabulary.specials == ("<pad>", "<unk>")
    assert tokenizer.morphemes[:6] == ("었/EP", "다/EF", "영화/NNG", "\n", "를/JKO", "보/VV")
    assert sorted(tokenizer.encode(FILMS).tolist())[0] == 2
    few_words = MorphemeTokenizer.train(FILMS, options=options(max_words=2, padding=False))
    assert few_words.morphemes == ("었/EP", "다/EF")
    assert few_words.encode("봤다").tolist() == [0, 1, 2]
    assert MorphemeTokenizer.train(FILMS, options=options(min_count=2)).morphemes == (*tokenizer.morphemes[:4],)


def test_names_of_specials_and_tagged_tokens_in_a_text_are_text():
    text = "<pad> 영화/NNG <unk>"
    tokenizer = known(text)
    assert " ".join(tokenizer.split(text)) == "</SSO pad/SL >/SSC 영화/NNG \\u002f/SP NNG/SL </SSO unk/SL >/SSC"
    assert tokenizer.encode(text).min() >= 2


def test_a_line_end_is_a_symbol_and_other_white_space_is_lost():
    tokenizer = known(FILMS)
    assert tokenizer.split("\n영화 \t봤다\r\n\n") == ["\n", "영화/NNG", "보/VV", "었/EP", "다/EF", "\n", "\n"]
    assert tokenizer.decode(tokenizer.encode("\n 영화를 \t봤다\r\n\n")) == "\n영화를 봤다\n\n"


def test_normalisers_come_first():
    tokenizer = MorphemeTokenizer.train("THE 영화", normalize=("lowercase",))
    assert tokenizer.split("The 영화") == ["the/SL", "영화/NNG"]
    assert tokenizer.loses[0] == "case"


@pytest.mark.parametrize("text", ["너무 좋은데?", "그는 집에 갔다.", "나는 널 사랑해", "가격이 싼 것이 이것뿐이에요."])
def test_words_are_conjugated_and_spaced_by_the_rules_of_korean(text):
    """kiwipiepy#91 and #120: earlier versions made "너무 조는데?" and "이것뿐 이에요." of these."""
    assert known(text).normalize(text) == text


@pytest.mark.parametrize(
    ("text", "comes_back"),
    [
        ("너무좋은데?", "너무 좋은데?"),
        ("모든게 꽉 짜인 걸작", "모든 것이 꽉 짜인 걸작"),
        ("재미있게 보았습니다", "재미있게 봤습니다"),
        ("뻔한 얘긴데", "뻔한 얘기인데"),
        ("영화이기에 가능한", "영화기에 가능한"),
    ],
)
def test_what_is_joined_may_be_another_text_and_is_told(text, comes_back):
    """kiwipiepy#91: joining gives another sentence. The surfaces are kept by `tag`."""
    tokenizer = known(text)
    assert tokenizer.normalize(text) == comes_back
    assert {"morphemes joined", "white space", "Unicode form"} <= set(tokenizer.loses)


def test_real_reviews_come_back_as_the_analyser_joins_them_whole(lines):
    tokenizer = MorphemeTokenizer.train("\n".join(lines))
    back = tokenizer.decode(tokenizer.encode("\n".join(lines))).split("\n")
    found = list(tag_texts(lines))
    assert back == [analyser().join([each[:2] for each in own], lm_search=False) for own in found]
    together = ["".join(line.split()) for line in lines]
    exact = sum(line == text for line, text in zip(lines, back, strict=True))
    but_for_spaces = sum(line == "".join(text.split()) for line, text in zip(together, back, strict=True))
    of_forms = sum(
        line == "".join("".join(m.form for m in own).split()) for line, own in zip(together, found, strict=True)
    )
    # kiwipiepy 0.24.1: what the docstring says.
    assert exact == pytest.approx(483, abs=20)
    assert but_for_spaces == pytest.approx(1859, abs=20)
    assert of_forms == pytest.approx(465, abs=20)
    with_spaces = {(*m[:2], at == 0 or m.start > own[at - 1].end) for own in found for at, m in enumerate(own)}
    assert len(tokenizer.morphemes) - 1 == len({each[:2] for each in with_spaces}) == pytest.approx(3978, abs=100)
    assert len(with_spaces) == pytest.approx(4653, abs=100)


def test_tagged_lines_read_as_words_are_the_same_symbols(lines):
    tagged = [tagged_line(each[:2] for each in own) for own in tag_texts(lines)]
    words = WordTokenizer.train(tagged, options=options())
    morphemes = MorphemeTokenizer.train(lines)
    assert words.words == morphemes.morphemes
    assert [words.split(line) for line in tagged[:100]] == [morphemes.split(line) for line in lines[:100]]
    for ours, theirs in zip(morphemes.encode_texts(lines), words.encode_texts(tagged), strict=True):
        assert ours.tolist() == theirs.tolist()
    counts = Counter(token for line in tagged for token in line.split(" ") if token)
    assert [counts[word] for word in words.words] == sorted(counts.values(), reverse=True)


def test_a_symbol_that_is_not_known_is_named_with_its_offset():
    tokenizer = MorphemeTokenizer.train("😀 영화를 봤다", options=options(unknown="error"))
    with pytest.raises(UnknownSymbolError, match=r"^'집/NNG' at offset 7 of the text is not among the 6 morphemes"):
        tokenizer.encode("😀 영화를 \t집")
    with pytest.raises(UnknownSymbolError, match=r"^'\\n' at offset 6 of"):
        tokenizer.encode("영화를 봤다\n집")
    assert [ids.tolist() for ids in tokenizer.encode_texts(["영화를 봤다", ""])] == [[2, 3, 4, 5, 6], []]
    assert "unknown symbols" not in tokenizer.loses


def test_unknown_morphemes_are_told_and_shown_as_one_sign():
    tokenizer = MorphemeTokenizer.train("영화를 봤다\n")
    assert tokenizer.unknown_words("집을 집에서 봤다") == ["집/NNG", "을/JKO", "에서/JKB"]
    assert tokenizer.decode(tokenizer.encode("집 봤다\n집")) == "� 봤다\n�"
    assert MorphemeTokenizer.train("영화", options=options(unknown="drop")).encode("집").tolist() == []


def test_another_version_of_the_analyser_has_another_fingerprint_and_encodes_nothing():
    tokenizer = MorphemeTokenizer.train("영화를 봤다")
    older = replace(tokenizer, analyser="kiwipiepy==0.22.0 kiwipiepy_model==0.22.1")
    assert older.fingerprint != tokenizer.fingerprint
    again = tokenizer_from_json(older.to_json())
    assert again == older
    for read in (again.encode, again.normalize, again.unknown_words):
        with pytest.raises(InputError, match=r"pip install kiwipiepy==0\.22\.0 kiwipiepy_model==0\.22\.1$"):
            read("영화")
    assert again.decode(tokenizer.encode("영화를 봤다")) == "영화를 봤다"


def test_without_kiwipiepy_it_can_be_read_but_not_used(monkeypatch):
    tree = MorphemeTokenizer.train("영화를 봤다").to_json()
    without_kiwipiepy(monkeypatch)
    tokenizer = tokenizer_from_json(tree)
    for use in (lambda: tokenizer.encode("집"), lambda: tokenizer.decode([2]), lambda: MorphemeTokenizer.train("집")):
        with pytest.raises(InputError, match=r"pip install 'jaxseq\[korean\]'$"):
            use()


def test_a_vocabulary_that_no_analyser_gives_is_decoded_all_the_same():
    odd = ("가/NEW", "\\ud800/SW", "\U0010ffff었/USER0", "\u1108\u111a/VX-R", "었/EP", "\n", "\\u0000/SW", "좋/VA")
    tokenizer = MorphemeTokenizer(odd, morpheme_tokenizer.analyser_version())
    ids = range(2, 2 + len(odd))
    stream = tokenizer.stream()
    whole = tokenizer.decode([*ids, *ids])
    assert "".join([*(stream.push([id]) for id in (*ids, *ids)), stream.flush()]) == whole
    assert whole.startswith("가 ")


GOOD = {
    "kind": "morpheme",
    "normalize": [],
    "analyser": "kiwipiepy==0.24.1 kiwipiepy_model==0.24.0",
    "options": options().to_json(),
    "morphemes": ["영화/NNG", "\n"],
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"morphemes": ["영화"]}, "'영화' is no tagged morpheme"),
        ({"morphemes": ["영화/NNG", "영화/NNG"]}, "'영화/NNG' at id 1 of a vocabulary occurs before"),
        ({"morphemes": [1]}, "the morphemes of a morpheme tokenizer in JSON must be a list of texts"),
        ({"analyser": "kiwi; rm"}, "analyser of a morpheme tokenizer is 'kiwi; rm'"),
        ({"analyser": 3}, "the analyser of a morpheme tokenizer in JSON must be a list of texts"),
        ({"options": WordOptions().to_json()}, "splitter of a morpheme tokenizer is 'filters'"),
        ({"normalize": ["upper"]}, "there is no normaliser 'upper'"),
        ({"mark": 1}, "a morpheme tokenizer in JSON has a strange field 'mark'"),
    ],
)
def test_json_that_is_no_morpheme_tokenizer_is_refused_in_one_line(changed, message):
    assert tokenizer_from_json(GOOD).to_json() == GOOD
    with pytest.raises(InputError) as caught:
        tokenizer_from_json({**GOOD, **changed})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_without_morphemes_trains_nothing():
    with pytest.raises(InputError, match="there is no word to train a tokenizer on"):
        MorphemeTokenizer.train(" \t")
