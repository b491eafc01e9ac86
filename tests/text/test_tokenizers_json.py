"""Files of the library `tokenizers`: read with the same ids, or refused by the name of the field."""

import json
from typing import Any

import pytest
import tokenizers
from small_tokenizers import TEXT
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from jaxseq.errors import InputError
from jaxseq.text import BertNormalization, read_tokenizers_json, tokenizer_from_json
from jaxseq.text.byte_pairs import byte_letters


def written(model: Any, trainer: Any, before: Any, decoder: Any, normalizer: Any = None) -> Any:
    """A tokenizer of the library's, trained by it."""
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer, made.decoder = before, decoder
    if normalizer is not None:
        made.normalizer = normalizer
    made.train_from_iterator(TEXT.splitlines(keepends=True) * 3, trainer)
    return made


def byte_level(**options: Any) -> Any:
    options = {"add_prefix_space": False, **options}
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "<pad>"], initial_alphabet=sorted(byte_letters()), show_progress=False
    )
    made = written(models.BPE(), trainer, pre_tokenizers.ByteLevel(**options), decoders.ByteLevel())
    made.add_special_tokens(["<|endoftext|>"])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return made


def wordpiece(normalizer: Any = None) -> Any:
    names = ["[PAD]", "[UNK]", "[CLS]"]
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=names, show_progress=False)
    model = models.WordPiece(unk_token="[UNK]")
    return written(model, trainer, pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(), normalizer)


def metaspace(scheme: str) -> Any:
    names = ["<pad>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=names, unk_token="<unk>", show_progress=False)
    before = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    return written(models.Unigram(), trainer, before, decoders.Metaspace(prepend_scheme=scheme))


PLAIN = "Speak, speak!  Who's there?\n이 영화는 정말\n\n  café 1609"


@pytest.mark.parametrize("padding", [False, True])
def test_byte_pairs_have_the_librarys_ids_and_come_back(padding):
    theirs = byte_level()
    ours = read_tokenizers_json(theirs.to_str(), padding=padding)
    ids = ours.encode(PLAIN)
    assert ids.tolist() == [padding + id for id in theirs.encode(PLAIN, add_special_tokens=False).ids]
    assert ours.decode(ids) == PLAIN
    assert ours.loses == ()
    assert ours.vocabulary_size == theirs.get_vocab_size() + padding
    assert ours.vocabulary.symbols[padding + theirs.token_to_id("<|endoftext|>")] == "<|endoftext|>"
    assert ours.vocabulary.specials == (("<pad>", "<s>", "<<pad>>") if padding else ("<s>", "<pad>"))
    assert tokenizer_from_json(ours.to_json()) == ours


def test_added_tokens_are_names_that_no_text_has():
    """tokenizers finds "<|endoftext|>" in any text, also where a user has written it."""
    ours = read_tokenizers_json(byte_level().to_str(), padding=False)
    text = "a <|endoftext|><s> b"
    ids = ours.encode(text)
    assert not {ours.vocabulary.id_of(name) for name in ("<s>", "<pad>", "<|endoftext|>")} & {*ids.tolist()}
    assert ours.decode(ids) == text
    assert ours.decode([*ids, ours.vocabulary.id_of("<|endoftext|>")]) == text


def test_an_expression_for_words_and_a_unicode_form_are_honoured():
    theirs = byte_level()
    split = pre_tokenizers.Split(tokenizers.Regex(r"\p{L}+|\s|[^\p{L}\s]+"), "isolated")
    bytes_alone = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    theirs.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_alone])
    theirs.normalizer = normalizers.NFC()
    ours = read_tokenizers_json(theirs.to_str(), normalize=("unix_newlines",))
    text = "cafe\u0301, speak\n 영화"
    assert ours.encode(text).tolist() == [1 + id for id in theirs.encode(text, add_special_tokens=False).ids]
    assert ours.decode(ours.encode(text)) == ours.normalize(text) == "café, speak\n 영화"
    assert ours.loses == ("line ends", "Unicode form")


@pytest.mark.parametrize("normalizer", [None, normalizers.BertNormalizer(lowercase=True), normalizers.NFKC()])
def test_wordpieces_have_the_librarys_ids_and_offsets(normalizer):
    theirs = wordpiece(normalizer)
    ours = read_tokenizers_json(theirs.to_str(), padding=False)
    expected = theirs.encode(PLAIN + " Жж ＡＢ")
    ids, offsets = ours.encode_with_offsets(PLAIN + " Жж ＡＢ")
    assert ids.tolist() == expected.ids
    assert list(map(tuple, offsets.tolist())) == expected.offsets
    assert ours.vocabulary.specials == ("[PAD]", "[UNK]", "[CLS]")
    assert not {ours.vocabulary.id_of("[CLS]"), 0} & {*ours.encode("[CLS] [PAD] speak").tolist()}
    assert ("case" in ours.loses) == isinstance(normalizer, normalizers.BertNormalizer)
    assert tokenizer_from_json(ours.to_json()) == ours


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
def test_unigrams_have_the_librarys_ids(scheme):
    theirs = metaspace(scheme)
    ours = read_tokenizers_json(theirs.to_str(), padding=False)
    for text in (PLAIN, " " + PLAIN, "ЖЖ speak Ж", "Ж\nЖ", ""):
        assert ours.encode(text).tolist() == theirs.encode(text).ids
    assert ours.loses == (("unknown symbols",) if scheme == "never" else ("leading space", "unknown symbols"))
    assert ours.decode(ours.encode("speak speak")) == "speak speak"
    assert ours.vocabulary.id_of("<unk>") == 1
    assert 1 in ours.encode("<unk>Ж").tolist()
    assert ours.vocabulary.symbols[theirs.token_to_id("▁")] == " "


def test_bytes_of_a_unigram_file_are_not_taken_for_their_names_in_a_text():
    tree = json.loads(metaspace("never").to_str())
    bytes_ = [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    tree["model"]["vocab"][2:2] = bytes_
    tree["model"]["byte_fallback"] = True
    tree["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, tree["decoder"]]}
    ours = read_tokenizers_json(json.dumps(tree), padding=False)
    assert ours.loses == ()
    for text in (PLAIN, "<0x0A> ЖЖ ▁ <unk>"):
        assert ours.decode(ours.encode(text)) == text
    theirs = tokenizers.Tokenizer.from_str(json.dumps(tree))
    assert ours.encode(PLAIN + "Ж").tolist() == theirs.encode(PLAIN + "Ж").ids


BPE = json.loads(byte_level().to_str())
WORDPIECE = json.loads(wordpiece().to_str())
UNIGRAM = json.loads(metaspace("always").to_str())


def changed(tree: dict[str, Any], **fields: Any) -> str:
    """`tree` with other values in some of its parts; None takes a part's place."""
    parts = {
        name: {**(tree[name] or {}), **value} if isinstance(value, dict) else value for name, value in fields.items()
    }
    return json.dumps({**tree, **parts})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # tokenizers#1793: the suffix is dropped, and spaces are lost.
        (changed(BPE, model={"end_of_word_suffix": "</w>"}), "model.end_of_word_suffix of a tokenizer.json is '</w>'"),
        (changed(BPE, model={"continuing_subword_prefix": "@@"}), "model.continuing_subword_prefix"),
        (changed(BPE, model={"dropout": 0.1}), "model.dropout of a tokenizer.json is 0.1"),
        (changed(BPE, model={"byte_fallback": True}), "model.byte_fallback of a tokenizer.json is True"),
        (changed(BPE, model={"ignore_merges": True}), "model.ignore_merges of a tokenizer.json is True"),
        (changed(BPE, model={"type": "WordLevel"}), "model.type of a tokenizer.json is 'WordLevel'"),
        (changed(BPE, model={"merges": ["a b c"]}), "model.merges of a tokenizer.json is 'a b c'"),
        (changed(BPE, model={"merges": 1}), "model.merges of a tokenizer.json is 1"),
        (changed(BPE, model={"vocab": {"<s>": 0}}), "give no name to id 2"),
        (changed(BPE, model={"vocab": {**BPE["model"]["vocab"], "ab": 5}}), "or two to one id"),
        (changed(BPE, model={"vocab": {**BPE["model"]["vocab"], "ab": "x"}}), "model.vocab of a tokenizer.json"),
        (changed(BPE, normalizer={"type": "Lowercase"}), "normalizer.type of a tokenizer.json is 'Lowercase'"),
        (
            changed(BPE, normalizer={"type": "Strip"}),
            "normalizer.type of a tokenizer.json is 'Strip'",
        ),
        (
            changed(
                BPE,
                normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "StripAccents"}]},
            ),
            "normalizer.type of a tokenizer.json is 'StripAccents'",
        ),
        (
            changed(BPE, pre_tokenizer={"add_prefix_space": True}),
            "pre_tokenizer.add_prefix_space of a tokenizer.json is T",
        ),
        (changed(BPE, pre_tokenizer={"use_regex": False}), "pre_tokenizer.use_regex of a tokenizer.json is False"),
        (changed(BPE, pre_tokenizer={"type": "Whitespace"}), "pre_tokenizer.type of a tokenizer.json is 'Whitespace'"),
        (changed(BPE, pre_tokenizer=None), "pre_tokenizer of a tokenizer.json is None"),
        (changed(BPE, decoder={"type": "BPEDecoder"}), "decoder.type of a tokenizer.json is 'BPEDecoder'"),
        (changed(BPE, decoder=None), "decoder of a tokenizer.json is None"),
        (changed(BPE, added_tokens=[{"id": 0, "content": "x"}]), "id 0 of a tokenizer.json is"),
        (changed(BPE, added_tokens=[{"id": "0"}]), "added_tokens of a tokenizer.json is {'id': '0'}"),
        (changed(WORDPIECE, model={"max_input_chars_per_word": 50}), "model.max_input_chars_per_word"),
        (changed(WORDPIECE, model={"continuing_subword_prefix": ""}), "model.continuing_subword_prefix"),
        (changed(WORDPIECE, model={"unk_token": "<none>"}), "model.unk_token of a tokenizer.json is '<none>'"),
        (changed(WORDPIECE, pre_tokenizer={"type": "Whitespace"}), "pre_tokenizer.type"),
        (
            changed(WORDPIECE, normalizer={"type": "BertNormalizer"}),
            "BERT's normalizer in JSON lacks",
        ),
        (
            changed(UNIGRAM, model={"byte_fallback": True}),
            "model.byte_fallback, without all bytes among the pieces, of a",
        ),
        (changed(UNIGRAM, model={"unk_id": None}), "model.unk_id of a tokenizer.json is None"),
        (changed(UNIGRAM, model={"vocab": [["a"]]}), "must be a list of lists, each of a text and a number"),
        (changed(UNIGRAM, pre_tokenizer={"replacement": "_"}), "pre_tokenizer.replacement of a tokenizer.json is '_'"),
        (changed(UNIGRAM, pre_tokenizer={"split": False}), "pre_tokenizer.split of a tokenizer.json is False"),
        (
            changed(UNIGRAM, pre_tokenizer={"prepend_scheme": "x"}),
            "pre_tokenizer.prepend_scheme of a tokenizer.json is 'x'",
        ),
        (changed(UNIGRAM, decoder={"type": "WordPiece"}), "decoder.type of a tokenizer.json is 'WordPiece'"),
        (
            changed(UNIGRAM, normalizer={"type": "Precompiled"}),
            "normalizer.type of a tokenizer.json is",
        ),
        ("[]", "the file of a tokenizer.json is []"),
        ("{}", "model of a tokenizer.json is None"),
        ("{", "a tokenizer.json of the library tokenizers must be JSON"),
        ("[" * 100_000, "a tokenizer.json of the library tokenizers must be JSON"),
    ],
)
def test_a_file_that_would_lose_text_or_is_unknown_is_refused_by_its_field(text, message):
    with pytest.raises(InputError) as caught:
        read_tokenizers_json(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_merges_of_spaces_are_those_of_the_file_in_both_ways_to_write_them():
    """tokenizers#645: spaces in merges corrupt the JSON."""
    model = tokenizers.Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    model.train_from_iterator(
        ["a    b        c    d"] * 9,
        trainers.BpeTrainer(vocab_size=300, initial_alphabet=letters, show_progress=False),
    )
    tree = json.loads(model.to_str())
    pairs = tree["model"]["merges"]
    assert ["Ġ", "Ġ"] in pairs
    text = "a  b   c        d"
    for merges in (pairs, [" ".join(pair) for pair in pairs]):
        ours = read_tokenizers_json(changed(tree, model={"merges": merges}), padding=False)
        assert ours.encode(text).tolist() == model.encode(text).ids
        assert ours.decode(ours.encode(text)) == text
    size = len(tree["model"]["vocab"])
    literal = {**tree["model"]["vocab"], "a b": size, "a bc": size + 1}
    with pytest.raises(InputError, match=r"^'a b' is no piece of a bpe tokenizer, which are letters"):
        read_tokenizers_json(changed(tree, model={"vocab": literal, "merges": [["a b", "c"]]}))


def test_older_files_have_merges_as_texts():
    merges = [" ".join(pair) for pair in BPE["model"]["merges"]]
    assert read_tokenizers_json(changed(BPE, model={"merges": merges})) == read_tokenizers_json(json.dumps(BPE))


def test_what_bert_does_to_a_text_is_kept():
    tree = json.loads(wordpiece(normalizers.BertNormalizer(strip_accents=False)).to_str())
    ours = read_tokenizers_json(json.dumps(tree))
    assert ours.to_json()["bert"] == {
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": False,
        "lowercase": True,
    }
    assert getattr(ours, "bert", None) == BertNormalization(strip_accents=False)
