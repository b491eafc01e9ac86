"""Documents of sentences, against plain loops and the counts that WikiText-2 was published with."""

import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.documents import encode_documents, split_documents
from jaxseq.errors import InputError
from jaxseq.text.sentences import split_sentences

LINES = st.lists(st.sampled_from(["", " ", "One. Two.", " three ", "= x =", "\x85 four"]), max_size=12)


@given(st.lists(LINES, min_size=1, max_size=3))
def test_a_document_is_a_text_a_line_or_a_block(texts):
    joined = ["\n".join(lines) for lines in texts]
    bare = [[line.strip() for line in "\n".join(lines).split("\n")] for lines in texts]
    whole = [[line for line in lines if line] for lines in bare]
    assert list(split_documents(joined, "texts")) == [document for document in whole if document]
    assert list(split_documents(joined, "lines")) == [[line] for document in whole for line in document]
    blocks = [[]]
    for line in (line for lines in bare for line in [*lines, ""]):
        blocks = [*blocks[:-1], [*blocks[-1], line]] if line else [*blocks, []]
    assert list(split_documents(joined, "blocks")) == [block for block in blocks if block]


def test_only_a_title_between_empty_lines_begins_a_document_of_wikitext():
    lines = [
        " ",
        " = Title = ",
        " ",
        " Key : Pld ",
        " = Played , W = ",
        " Wins . ",
        " ",
        " = = Section = = ",
        " ",
        " = = = Below = = = ",
        " ",
        " Text with a = b . ",
        " = Ties , NR = ",
        " ",
        " = Other ( 1 = 2 ) = ",
        " ",
        " Its text . ",
        " = = legend = ",
    ]
    expected = [
        ["Key : Pld", "= Played , W =", "Wins .", "Text with a = b .", "= Ties , NR ="],
        ["Its text .", "= = legend ="],
    ]
    assert list(split_documents(["\n".join(lines)], "wikitext")) == expected
    assert list(split_documents(["\n".join(lines)] * 2, "wikitext")) == expected * 2
    assert list(split_documents(["\n".join(lines[3:6])], "wikitext")) == [expected[0][:3]]


def test_wikitext_has_the_articles_it_was_published_with(data_folder):
    """600, 60 and 60: https://arxiv.org/abs/1609.07843, table 1."""
    folder = data_folder / "wikitext2"
    with lzma.open(folder / "wiki.train.tokens.xz", "rt", encoding="utf-8") as file:
        texts = [file.read()]
    texts += [(folder / f"wiki.{name}.tokens").read_text(encoding="utf-8") for name in ("valid", "test")]
    for text, articles in zip(texts, (600, 60, 60), strict=True):
        documents = list(split_documents([text], "wikitext"))
        assert len(documents) == articles
        assert not any(line.startswith("= =") and line.endswith("= =") for lines in documents for line in lines)


def encoded(texts):
    """Each letter is a token."""
    return ([ord(letter) for letter in text if letter.isalpha()] for text in texts)


PARAGRAPHS = st.lists(st.sampled_from(["Ab. C!", "?", "", "Defg", "1. 2. 3.", "H. I? 4. Jk."]), max_size=4)


@given(st.lists(PARAGRAPHS, max_size=6))
def test_arrays_hold_each_sentence_that_has_a_token(documents):
    sentences = [[s for p in paragraphs for s in encoded(split_sentences(p)) if s] for paragraphs in documents]
    kept = [document for document in sentences if document]
    if not kept:
        with pytest.raises(InputError, match="the documents hold no token"):
            encode_documents(documents, encoded)
        return
    found = encode_documents(documents, encoded)
    assert (found.tokens.dtype, found.sentences.dtype, found.documents.dtype) == (np.int32, np.int64, np.int64)
    back = [
        [found.tokens[found.sentences[i] : found.sentences[i + 1]].tolist() for i in range(begin, end)]
        for begin, end in zip(found.documents[:-1], found.documents[1:], strict=True)
    ]
    assert back == kept
    assert found.bounds.tolist() == np.cumsum([0, *(sum(map(len, document)) for document in kept)]).tolist()


def test_another_form_is_told():
    with pytest.raises(InputError, match="the form of documents is 'csv': choose texts, lines, blocks, wikitext"):
        list(split_documents(["a"], "csv"))  # pyright: ignore[reportArgumentType]
