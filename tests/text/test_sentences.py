"""Sentences by their marks: all of a text, and known cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.text.sentences import split_sentences

PARTS = st.sampled_from([*"aBç.!?… \n\"')(", "Dr.", "U.S.", "No.", "5", "좋다", " . ", ' . " ', "@.@", "x. Y"])


@given(st.lists(PARTS, max_size=30).map("".join))
def test_sentences_are_the_text_but_for_white_space_and_each_is_one(text):
    sentences = split_sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    for sentence in sentences:
        assert sentence == sentence.strip() != ""
        assert split_sentences(sentence) == [sentence]
    if len(sentences) > 1:
        assert all(any(map(str.isalnum, sentence)) for sentence in sentences)


@pytest.mark.parametrize(
    "sentences",
    [
        ["I came.", "I saw!", "Did I win?", "Yes..."],
        ["It cost 3.5 kg.", "Dr. Kim of the U.S. Army knew Mr. J. R. Smith.", "See No. 5, e.g. Fig. 7."],
        ["He said no.", "Then he went.", "Was it H?", "Yes.", "He left (for the U.S.)", "They did, too."],
        ['"Really?" he asked.', '"Yes!"', "(He left.)", "“So?”", "‘No.’"],
        ["lower case follows. so this is one sentence... as is this? yes."],
        ["정말 재미있다.", "또 보고 싶다!", "왜요?", "응.", "최고ㅋㅋ"],
        ["...and so on.", "!!! What?!", "End . . ."],
        ["Er sagte : « Nein . »", "Ça va ?", "Übrigens nicht ."],
        ["One."],
        [],
    ],
)
def test_known_texts_are_split_as_a_person_would(sentences):
    assert split_sentences(" ".join(sentences)) == sentences
    assert split_sentences("\n " + " \n".join(sentences) + " ") == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["The lobster , H. americanus , weighs 0 @.@ 7 kg .", "It is red @-@ tipped ."],
        ['He said , " No . "', '" Why ? " she asked .', "They went ( to St. Louis . )", "It was 1 @,@ 000 km ."],
        ["Is it ?", "Yes !", "U.S. forces came ."],
    ],
)
def test_marks_may_stand_apart_as_in_wikitext(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


def test_marks_at_the_end_belong_to_the_last_sentence():
    assert split_sentences('It ends . " " .') == ['It ends . " " .']
    assert split_sentences("...") == ["..."]
    assert split_sentences(" \n ") == split_sentences("") == []


def test_sentences_of_wikitext_end_as_sentences_do(data_folder):
    text = (data_folder / "wikitext2" / "wiki.valid.tokens").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith(" =")]
    sentences = [sentence for line in lines for sentence in split_sentences(line)]
    ends = sum(sentence.endswith((".", "!", "?", '. "', '! "', '? "', ". )")) for sentence in sentences)
    assert ends / len(sentences) > 0.97
    # A line may end without a mark (what a list follows does), and a mark may be that of a title.
    marks = sum(line.count(f" {mark} ") for line in lines for mark in ".?!")
    assert 0.97 < len(sentences) / marks < 1.05
