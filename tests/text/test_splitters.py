"""Splitters: against NLTK and Keras, and on published examples."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.text.splitters import SPLITTERS, filtered_words, pieces, words_and_marks
from jaxseq.text.treebank import treebank_words

# Kinds of text between which the conventions decide; a space between most of them, as in what people write.
PARTS = """
    don't we'll cannot the 'tis 'twas dogs' U.S. 3,500 3:30 gonna wanna gimme more'n d'ye I'm Tom's couldn't've TOM'S
    ( ) [ ] { } " '' `` . ... , : ; -- - ? ! @ # $ % & * a 1 's rock'n'roll can't. "Yes," (so) "so." e.g. <b> ;-)
"""
LINES = st.lists(st.sampled_from(PARTS.split()), max_size=9).map(" ".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The example of NLTK's documentation of TreebankWordTokenizer, its lines as the sentences they are.
        (
            "Good muffins cost $3.88 in New York.  Please buy me two of them.\nThanks.",
            "Good muffins cost $ 3.88 in New York. Please buy me two of them . Thanks .",
        ),
        ("They'll save and invest more.", "They 'll save and invest more ."),
        ("hi, my name can't hello,", "hi , my name ca n't hello ,"),
        ("'Tis no cannot, gimme: wanna go?", "'T is no can not , gim me : wan na go ?"),
        ('"Dogs\' (3,500 at 3:30)..."', "`` Dogs ' ( 3,500 at 3:30 ) ... ''"),
        ("Tom's 'Tom's' book--his.", "Tom 's 'Tom 's ' book -- his ."),
        ("one. two.\n\nthree.)", "one. two . three . )"),
    ],
)
def test_treebank_examples(text, expected):
    assert treebank_words(text) == expected.split()


def strange(line):
    """Where NLTK's order of substitutions shows, and a convention does not."""
    return re.search(r"[:,]\s*[:,]|'[sSmMdD]'$|\"''|[^\S \t]", line) is not None


@settings(deadline=None, max_examples=1000)
@given(LINES)
def test_treebank_is_nltks_on_made_up_lines(line):
    nltk = pytest.importorskip("nltk.tokenize")
    if not strange(line):
        assert treebank_words(line) == nltk.TreebankWordTokenizer().tokenize(line)


def test_treebank_is_nltks_on_plays_and_film_reviews(plays, films):
    tokenize = pytest.importorskip("nltk.tokenize").TreebankWordTokenizer().tokenize
    text = plays + "\n".join(films[:300]).replace("<br />", "\n").replace(". ", ".\n")
    lines = [line for line in text.split("\n") if not strange(line)]
    assert len(lines) > 12_000
    assert [line for line in lines if treebank_words(line) != tokenize(line)] == []


@settings(deadline=None, max_examples=200)
@given(st.text("aB1_ .,'-()\n\té가Σ"))
def test_words_and_marks_are_nltks_wordpunct(text):
    nltk = pytest.importorskip("nltk.tokenize")
    assert words_and_marks(text) == nltk.wordpunct_tokenize(text)


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_pieces_are_all_of_the_text(text):
    assert "".join(pieces(text)) == text


@settings(deadline=None, max_examples=300)
@given(
    text=st.text("aAbB .,|é가", max_size=30),
    filters=st.text(".,|aé", max_size=3),
    split=st.sampled_from([" ", "|", "a", "ab", " .", "é"]),
)
def test_filtered_words_are_kerass(text, filters, split):
    keras = pytest.importorskip("keras.src.legacy.preprocessing.text")
    assert filtered_words(text, filters=filters, split=split) == keras.text_to_word_sequence(
        text, filters=filters, split=split, lower=False
    )


@pytest.mark.parametrize("name", SPLITTERS)
@settings(deadline=None, max_examples=100)
@given(text=st.text("ab' .,\"\n\t\xa0\x1c가\u0301", max_size=30))
def test_words_are_never_empty_and_stand_between_the_separators_there_are(name, text):
    how = SPLITTERS[name]
    words = how.split(text)
    assert all(words)
    if how.separators is not None:
        assert words == re.findall(f"[^{re.escape(how.separators)}]+", text)
