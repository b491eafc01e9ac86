"""Files of SentencePiece: its own library is the oracle; what it changes is measured, and can be left out."""

import base64
import json
import random

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import TEXT, sentencepiece_model, sentencepieces

from jaxseq.errors import InputError
from jaxseq.text import SentencePieceTokenizer, tokenizer_from_text
from jaxseq.text.sentencepiece_model import read_model, without_normalization
from jaxseq.text.wire import fields, with_bytes, with_varint

KINDS = ("unigram", "bpe", "char", "word")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text([*TEXT, "▁", "Ａ"], max_size=40)


def library(tokenizer: SentencePieceTokenizer):
    return sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)


@pytest.mark.parametrize("normalization", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=80)
@given(text=TEXTS)
def test_ids_and_texts_are_those_of_the_library(kind, normalization, text):
    tokenizer = sentencepieces(kind, bytes_too=kind != "word", normalization=normalization)
    theirs = library(tokenizer).encode(text)
    ids = tokenizer.encode(text)
    assert ids.tolist() == [1 + id for id in theirs]
    if 0 not in theirs and not text.startswith("▁"):
        decoded = library(tokenizer).decode(theirs)
        assert tokenizer.decode(ids) == decoded == tokenizer.normalize(text)


def test_scores_pieces_and_roles_are_those_of_the_library():
    for kind in KINDS:
        model = sentencepiece_model(kind, bytes_too=kind != "word")
        theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
        ours = read_model(model).pieces
        assert [piece.text for piece in ours] == [theirs.id_to_piece(id) for id in range(len(theirs))]
        assert [piece.score for piece in ours] == [theirs.get_score(id) for id in range(len(theirs))]
        for role, asked in (("control", theirs.is_control), ("unknown", theirs.is_unknown), ("byte", theirs.is_byte)):
            assert [piece.role == role for piece in ours] == [asked(id) for id in range(len(theirs))]


def test_compatibility_forms_stay_where_the_identity_is_chosen():
    """sentencepiece#329, #839: the usual normalisation makes two full stops of U+FE30."""
    usual, identity = sentencepieces(), sentencepieces(normalization=False)
    assert usual.decode(usual.encode("a︰b")) == usual.normalize("a︰b") == "a..b"
    assert identity.decode(identity.encode("a︰b")) == identity.normalize("a︰b") == "a︰b"
    assert "compatibility forms" in usual.loses
    assert identity.loses == ("the sign ▁",)
    assert usual.normalization_changes("a︰b Ａ︰") == (3, (("︰", "..", 2), ("Ａ", "A", 1)))
    assert identity.normalization_changes("a︰b Ａ︰") == (0, ())


def test_what_the_normalisation_changes_is_counted():
    changes = sentencepieces().normalization_changes("  e\u0301  x\n\n값ㅋ ", most=3)
    assert changes.characters == 2 + 2 + 2 + 2 + 1 + 1
    assert len(changes.examples) == 3
    assert sentencepieces().normalization_changes("First Citizen") == (0, ())
    assert sentencepieces().normalization_changes("") == (0, ())


def test_a_newline_is_a_symbol_or_declared_lost():
    """sentencepiece#101: a newline becomes unknown, or a space, in silence."""
    identity = sentencepieces(normalization=False)
    assert identity.decode(identity.encode("a\nb\n\n")) == "a\nb\n\n"
    assert "line ends" not in identity.loses
    model = sentencepiece_model(bytes_too=False, rule="identity", remove_extra_whitespaces=False)
    without = SentencePieceTokenizer.read(model)
    assert without.decode(without.encode("all\nall")) == "all\ufffdall"
    assert without.loses == ("line ends", "the sign ▁", "unknown symbols")
    assert "line ends" in sentencepieces().loses
    assert sentencepieces().normalize("a\nb") == "a b"
    written = sentencepiece_model(bytes_too=False, rule="identity", remove_extra_whitespaces=False, required_chars="\n")
    with_newline = SentencePieceTokenizer.read(written)
    assert with_newline.decode(with_newline.encode("all\nall\n\n")) == "all\nall\n\n"
    assert with_newline.loses == ("the sign ▁", "unknown symbols")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_the_text_of_ids_is_that_of_their_parts_one_after_the_other(kind):
    """sentencepiece#908: decode(a + b) differs from decode(a) + decode(b)."""
    tokenizer = sentencepieces(kind)
    ids = tokenizer.encode(TEXT)
    for cut in range(len(ids)):
        stream = tokenizer.stream()
        assert stream.push(ids[:cut]) + stream.push(ids[cut:]) + stream.flush() == tokenizer.decode(ids)
    assert library(tokenizer).decode(library(tokenizer).encode(TEXT)) == tokenizer.decode(ids)


def test_control_symbols_are_never_in_a_text_and_user_defined_ones_are():
    tokenizer = sentencepieces()
    named = tokenizer.vocabulary.id_of
    text = "speak<sep><ctl><s></s><unk><pad><0x41> <sep>"
    ids = tokenizer.encode(text)
    assert ids.tolist().count(named("<sep>")) == 2
    assert not {named("<ctl>"), named("<s>"), named("</s>"), named("<unk>"), 0, named("<0x41>")} & {*ids.tolist()}
    assert tokenizer.decode(ids) == text
    assert tokenizer.vocabulary.specials == ("<pad>", "<unk>", "<s>", "</s>", "<ctl>")
    assert tokenizer.decode([named("<s>"), *tokenizer.encode("speak"), named("<ctl>"), named("</s>")]) == "speak"


def test_spaces_that_the_model_takes_out_are_declared_and_the_dummy_prefix_is_not_seen():
    usual, identity = sentencepieces(), sentencepieces(normalization=False)
    assert usual.decode(usual.encode("  a   b ")) == "a b"
    assert "white space" in usual.loses
    assert identity.decode(identity.encode("  a   b ")) == "  a   b "
    assert identity.encode("speak").tolist() == identity.encode(" speak")[1:].tolist()


def test_offsets_are_of_the_text_as_given():
    tokenizer = sentencepieces()
    text = "Ａ ︰  speak 한\n"
    ids, offsets = tokenizer.encode_with_offsets(text)
    surfaces = [text[start:end] for start, end in offsets]
    assert surfaces[:2] == ["", "Ａ"]  # the dummy prefix is no part of the text
    assert surfaces.count("︰") == 2  # ".", "."
    assert "".join(surfaces[-3:]) == "한한한"
    assert len(ids) == len(surfaces)


def test_a_file_is_read_by_its_path_and_kept_in_json(tmp_path):
    path = tmp_path / "small.model"
    path.write_bytes(sentencepiece_model())
    tokenizer = SentencePieceTokenizer.read(path)
    assert tokenizer == SentencePieceTokenizer.read(str(path)) == sentencepieces()
    assert base64.b64decode(tokenizer.to_json()["model"]) == path.read_bytes()
    again = tokenizer_from_text(json.dumps(tokenizer.to_json()))
    assert again == tokenizer
    with pytest.raises(InputError, match=r"^the SentencePiece model .*none\.model cannot be read \(No such file"):
        SentencePieceTokenizer.read(tmp_path / "none.model")


def test_leaving_the_normalisation_out_changes_nothing_else():
    model = sentencepiece_model()
    ours, theirs = read_model(without_normalization(model)), read_model(model)
    assert ours.pieces == theirs.pieces
    assert (ours.normalization, ours.has_rules, ours.dummy_prefix, ours.removes_spaces) == (
        "identity",
        False,
        True,
        False,
    )
    bare = read_model(without_normalization(sentencepiece_model(add_dummy_prefix=False)))
    assert not bare.dummy_prefix
    assert [field for field, _ in fields(without_normalization(model))].count(3) == 1


def test_real_texts_have_the_librarys_ids(shakespeare, reviews):
    tokenizer = sentencepieces(normalization=False)
    for text in (shakespeare[:200_000], reviews[:100_000]):
        ids = tokenizer.encode(text)
        assert ids.tolist() == [1 + id for id in library(tokenizer).encode(text)]
        assert tokenizer.decode(ids) == text
    assert sentencepieces().normalization_changes(shakespeare[:50_000]).characters > 1000  # its line ends


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"", "this is no SentencePiece model: of its 0 pieces one must be unknown, others known"),
        (b"PK\x03\x04", "this is no SentencePiece model ("),
        (b"\n\x05\n\x03abc", "of its 1 pieces one must be unknown"),
        (sentencepiece_model()[:-5], "this is no SentencePiece model ("),
        (sentencepiece_model()[5:], "this is no SentencePiece model"),
        (
            with_bytes(sentencepiece_model(), 2, with_varint(b"", 24, 1)),
            "with treat_whitespace_as_suffix cannot be read",
        ),
        (with_bytes(sentencepiece_model(), 3, with_varint(b"", 5, 0)), "with escape_whitespaces off cannot be read"),
        (with_bytes(sentencepiece_model(), 5, with_bytes(b"", 2, b"x")), "with a denormalizer_spec cannot be read"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(model, message):
    for call in (
        lambda: SentencePieceTokenizer.read(model),
        lambda: SentencePieceTokenizer(model),
        lambda: tokenizer_from_text(
            json.dumps({**sentencepieces().to_json(), "model": base64.b64encode(model).decode("ascii")})
        ),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 1, "?", "é", "abc", ["a"], {}])
def test_json_without_base64_is_refused_in_one_line(value):
    with pytest.raises(InputError, match=r"^the model of a sentencepiece tokenizer in JSON is no base64 \(.*\)$"):
        tokenizer_from_text(json.dumps({**sentencepieces().to_json(), "model": value}))


def test_any_change_of_a_byte_is_a_model_or_one_line(capfd):
    rng, whole = random.Random(0), sentencepiece_model()
    refused: list[str] = []
    for _ in range(400):
        at = rng.randrange(min(len(whole), 20_000))
        try:
            found = SentencePieceTokenizer.read(whole[:at] + rng.choice([b"", rng.randbytes(1)]) + whole[at + 1 :])
            found.decode(found.encode("First Citizen"))
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert not [line for line in refused if "\n" in line or len(line) > 400]
    assert capfd.readouterr() == ("", "")
