"""[CLS] and [SEP]: which tokenizers have them, and the vocab.txt of BERT."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.text.bert_vocabulary import read_bert_vocabulary
from jaxseq.text.delimiting import any_tokenizer_from_text, base_of, delimited, delimiters_of, encode_all
from jaxseq.text.masked_tokenizer import MaskedTokenizer
from jaxseq.text.word_options import WordOptions
from jaxseq.text.words import WordTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film", "##s", "é", "e", "!", "漢", "A"]
VOCABULARY = ("\n".join(WORDS) + "\n").encode()


def test_a_tokenizer_without_delimiters_gets_ids_behind_its_own_and_one_with_them_stays():
    words = WordTokenizer.train(["[CLS] a film [SEP]"], options=WordOptions(padding=True, splitter="whitespace"))
    assert delimiters_of(words) is None  # these are words that texts have
    made = delimited(words)
    assert made == MaskedTokenizer(words)
    assert delimiters_of(made) == (words.vocabulary_size, words.vocabulary_size + 1)
    assert base_of(made) is words
    pieces = read_bert_vocabulary(VOCABULARY)
    assert delimiters_of(pieces) == (2, 3)
    assert delimited(pieces) is pieces
    assert base_of(pieces) is pieces


def test_any_tokenizer_of_a_run_comes_back_from_its_file():
    words = WordTokenizer.train(["a film"], options=WordOptions(padding=True))
    for tokenizer in (words, MaskedTokenizer(words), read_bert_vocabulary(VOCABULARY)):
        assert any_tokenizer_from_text(json.dumps(tokenizer.to_json())) == tokenizer
    with pytest.raises(InputError):
        any_tokenizer_from_text("{}")


@given(st.lists(st.text(alphabet="agodfilms éÉ!漢A[SEP]\n\t", max_size=20), max_size=4), st.booleans())
def test_a_vocabulary_of_bert_gives_the_ids_that_the_library_tokenizers_gives(texts, lowercase):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    library = Tokenizer(models.WordPiece({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = read_bert_vocabulary(VOCABULARY.replace(b"\n", b"\r\n"), {"do_lower_case": lowercase})
    found = [ids.tolist() for ids in encode_all(tokenizer, texts)]
    assert found == [library.encode(text, add_special_tokens=False).ids for text in texts]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a\nb\n", r"must have \[UNK\]"),
        (b"[UNK]\n\xff\n", "not at offset 6"),
        (b"[UNK]\na\na\n", "'a' at id 2 of a vocabulary occurs before"),
        (b"[UNK]\n\na\n", "must be a text of 1 character or more"),
    ],
)
def test_a_vocabulary_that_is_none_is_refused(content, told):
    with pytest.raises(InputError, match=told):
        read_bert_vocabulary(content)
