"""From a data section to a tokenizer, trained or given."""

import json

import pytest
from small_tokenizers import sentencepiece_model

from jaxseq.config import CorpusConfig, LabelledConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.tasks.labelled_texts import encode, train_tokenizer
from jaxseq.tasks.language.corpora import prepare
from jaxseq.text import (
    BytePairTokenizer,
    MorphemeTokenizer,
    SentencePieceTokenizer,
    UnigramTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
)

TEXT = "to be, or not to be: that is the question\n" * 20
KINDS = {"bpe": BytePairTokenizer, "wordpiece": WordPieceTokenizer, "unigram": UnigramTokenizer}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    return str(tmp_path / "a.txt")


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_trained_to_their_number_without_padding_for_a_corpus(source, kind):
    tokenizer, corpus = prepare(CorpusConfig(source=source, tokenizer=kind, pieces=290, normalize=("lowercase",)))
    assert isinstance(tokenizer, KINDS[kind])
    assert tokenizer == KINDS[kind].train(TEXT, normalize=("lowercase",), size=290, padding=False)
    assert corpus.ids.tolist() == tokenizer.encode(TEXT).tolist()


@pytest.mark.parametrize("kind", [*KINDS, "morpheme"])
def test_labelled_texts_are_read_by_each_kind_with_id_0_for_padding(kind):
    config = LabelledConfig(source="x", tokenizer=kind, pieces=300, length=9)
    tokenizer = train_tokenizer(config, ["영화를 봤다", TEXT])
    assert tokenizer.silent_ids[0] == 0
    sequences, _ = encode(config, tokenizer, [TEXT, "봤다"])
    assert sequences.ids.tolist() == [*tokenizer.encode(TEXT)[:9].tolist(), *tokenizer.encode("봤다").tolist()]
    assert 0 not in sequences.ids


def test_morphemes_are_those_of_the_analyser_and_rare_ones_unknown():
    config = LabelledConfig(source="x", tokenizer="morpheme", max_words=2, normalize=("nfc",))
    tokenizer = train_tokenizer(config, ["영화 영화 봤다 봤다"])
    assert isinstance(tokenizer, MorphemeTokenizer)
    assert tokenizer.vocabulary_size == 4
    assert tokenizer.normalizers == ("nfc",)


def test_a_tokenizer_that_is_given_is_taken_as_it_is(source, tmp_path):
    given = BytePairTokenizer.train("quite another text " * 9, size=270)
    (tmp_path / "ours.json").write_text(json.dumps(given.to_json()))
    config = CorpusConfig(source=source, tokenizer="bpe", tokenizer_file=str(tmp_path / "ours.json"))
    assert prepare(config).tokenizer == given
    (tmp_path / "m.model").write_bytes(sentencepiece_model())
    model = CorpusConfig(source=source, tokenizer="sentencepiece", tokenizer_file=str(tmp_path / "m.model"))
    tokenizer, _ = prepare(model)
    assert tokenizer == SentencePieceTokenizer.read(sentencepiece_model(), padding=False)


def test_what_a_sentencepiece_model_normalises_can_be_left_out(tmp_path):
    """sentencepiece#329, #839: the usual normalisation makes two full stops of U+FE30."""
    text = "a︰b  speak\n"
    (tmp_path / "a.txt").write_text(text * 20, encoding="utf-8")
    (tmp_path / "m.model").write_bytes(sentencepiece_model())
    fields = {"source": str(tmp_path / "a.txt"), "tokenizer_file": str(tmp_path / "m.model")}
    for section in (CorpusConfig, LabelledConfig):
        for keep, decoded in ((True, "a..b speak"), (False, text)):
            config = section(tokenizer="sentencepiece", file_normalization=keep, length=200, **fields)
            made = prepare(config).tokenizer if section is CorpusConfig else train_tokenizer(config, [text])
            assert made.decode(made.encode(text)) == decoded


def test_a_tokenizer_that_the_library_wrote_is_read(source, tmp_path):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    library.train_from_iterator([TEXT, '"kind"'], trainer)
    library.save(str(tmp_path / "theirs.json"))
    config = CorpusConfig(source=source, tokenizer="bpe", tokenizer_file=str(tmp_path / "theirs.json"))
    tokenizer, corpus = prepare(config)
    assert corpus.ids.tolist() == library.encode(TEXT).ids
    assert tokenizer.vocabulary_size == 270


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be used: this is no JSON"),
        (b'{"kind": "morse"}', "must have a 'kind' among"),
        (b'{"model": {"type": "BPE"}}', "cannot be used"),
        (json.dumps(WordTokenizer.train(TEXT).to_json()).encode(), "holds a word tokenizer and data.tokenizer is bpe"),
        (None, r"cannot be read \(No such file or directory\)"),
    ],
)
def test_a_file_that_holds_no_such_tokenizer_is_one_line(source, tmp_path, content, message):
    file = tmp_path / "t.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        prepare(CorpusConfig(source=source, tokenizer="bpe", tokenizer_file=str(file)))
    assert str(caught.value).startswith(f"data.tokenizer_file {file} ")
    assert "\n" not in str(caught.value)


def test_a_vocabulary_smaller_than_its_specials_is_one_line(source):
    with pytest.raises(InputError, match="256 bytes"):
        prepare(CorpusConfig(source=source, tokenizer="bpe", pieces=255))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokenizer": "sentencepiece"}, r"data\.tokenizer is 'sentencepiece': it is read from a file"),
        ({"tokenizer": "unigram", "min_count": 2}, r"data\.min_count is 2: the unigram tokenizer counts no symbols"),
        (
            {"tokenizer": "bpe", "file_normalization": False},
            r"data\.file_normalization is False: the bpe tokenizer",
        ),
        ({"tokenizer": "bpe", "max_words": 9}, r"data\.max_words is 9: the tokenizer bpe has no words"),
    ],
)
def test_fields_that_mean_nothing_to_a_kind_are_refused(fields, message):
    for section in (CorpusConfig, LabelledConfig):
        with pytest.raises(ConfigError, match=message):
            section(**fields)
