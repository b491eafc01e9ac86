"""What holds for every tokenizer of subwords."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import TEXT, bpe, sentencepieces, unigram, wordpiece
from text_strategies import splits

from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.text import SentencePieceTokenizer, UnigramTokenizer, tokenizer_from_json
from jaxseq.text import subword_libraries as libraries
from jaxseq.text.subwords import SubwordTokenizer

EVERY: dict[str, Callable[[], SubwordTokenizer]] = {
    "bpe": bpe,
    "wordpiece": wordpiece,
    "unigram": unigram,
    "unigram with prefix": lambda: unigram(prefix=True),
    "sentencepiece": sentencepieces,
    "sentencepiece, as it is": lambda: sentencepieces(normalization=False),
    "sentencepiece of byte pairs": lambda: sentencepieces("bpe", normalization=False),
    "sentencepiece without bytes": lambda: sentencepieces(bytes_too=False, rule="identity"),
}
every = pytest.mark.parametrize("made", EVERY.values(), ids=EVERY.keys())
KNOWN = sorted({*TEXT, " ", "\n"})
LITERALS = "<pad> <unk> [UNK] [PAD] ##x ## <0x0A> <0xEA><0xB0><0x80> Ġthe Ċ <s> </s> <ctl> <|endoftext|> x 5"


@every
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_decoding_gives_the_normalised_text_where_nothing_is_unknown(made, data):
    tokenizer = made()
    knows_all = not {"unknown words", "unknown symbols"} & {*tokenizer.loses}
    text = data.draw(st.text(max_size=40) if knows_all else st.text(KNOWN, max_size=40))
    decoded = tokenizer.decode(tokenizer.encode(text))
    if knows_all or "\ufffd" not in decoded:
        assert decoded == tokenizer.normalize(text)


def test_the_text_that_they_were_trained_on_has_nothing_unknown():
    for kind, made in EVERY.items():
        tokenizer = made()
        text = " ".join(TEXT.split()) if "unknown symbols" in tokenizer.loses else TEXT
        decoded = tokenizer.decode(tokenizer.encode(text))
        assert decoded == tokenizer.normalize(text), kind
        assert "speak" in decoded


@pytest.mark.parametrize("made", [bpe, unigram])
@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=60) | st.text("  \n\r\t\x00\x1c\x85\u2003\u3000▁aé한'\u0301", max_size=60))
def test_all_of_any_text_comes_back(made, text):
    tokenizer = made()
    assert tokenizer.loses == ()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@settings(deadline=None, max_examples=100)
@given(text=st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"]), max_size=60))
def test_sentencepiece_without_normalisation_loses_its_sign_for_spaces_alone(text):
    tokenizer = sentencepieces(normalization=False)
    assert tokenizer.loses == ("the sign ▁",)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode("a▁b")) == "a b"


@every
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_pieces_join_to_the_whole_for_every_split_of_any_ids(made, data):
    """sentencepiece#908: decode(a + b) differs from decode(a) + decode(b)."""
    tokenizer = made()
    of_text = st.text("a  é한😀\n▁zZ,", max_size=12).map(lambda text: tokenizer.encode(text).tolist())
    ids = data.draw(of_text | st.lists(st.integers(0, tokenizer.vocabulary_size - 1), max_size=20))
    stream = tokenizer.stream()
    for _ in range(2):  # a flushed decoder is as a new one
        parts = [stream.push(part) for part in data.draw(splits(ids))]
        assert "".join([*parts, stream.flush()]) == tokenizer.decode(ids)


@every
def test_no_text_has_the_id_of_a_special_whatever_is_written_in_it(made):
    tokenizer = made()
    names = " ".join(tokenizer.vocabulary.symbols)
    specials = len(tokenizer.vocabulary.specials)
    unknown = {at for at, name in enumerate(tokenizer.vocabulary.specials) if name in ("<unk>", "[UNK]")}
    for text in (LITERALS, names, *tokenizer.vocabulary.symbols):
        ids = tokenizer.encode(text)
        assert {*ids[ids < specials].tolist()} <= unknown
        decoded = tokenizer.decode(ids)
        if not unknown & {*ids.tolist()}:
            assert decoded == tokenizer.normalize(text)
    assert tokenizer.decode(range(specials)).strip(" \ufffd") == ""


@pytest.mark.parametrize("literal", [*LITERALS.split(), "▁", "Ġ"])
@pytest.mark.parametrize("made", [bpe, unigram])
def test_signs_of_the_libraries_are_text_in_a_text(made, literal):
    tokenizer = made()
    text = f"speak {literal}{literal} speak"
    assert tokenizer.decode(tokenizer.encode(text)) == text


@every
def test_halves_of_surrogate_pairs_are_refused_as_bytes_refuse_them(made):
    tokenizer = made()
    message = r"'\\ud83d' \(U\+D83D\) at offset 1 is half of a surrogate pair, which UTF-8 cannot express: leave it out"
    for call in (tokenizer.encode, tokenizer.encode_with_offsets, lambda text: tokenizer.encode_texts([text])):
        with pytest.raises(UnknownSymbolError, match=f"^{message}$"):
            call("a\ud83d")


@every
def test_texts_together_have_the_ids_that_each_has_alone(made):
    tokenizer = made()
    texts = ["", *TEXT.splitlines(keepends=True), " ", "", "한 \n", TEXT]
    together = tokenizer.encode_texts(iter(texts))
    assert [ids.tolist() for ids in together] == [tokenizer.encode(text).tolist() for text in texts]
    assert tokenizer.encode_texts([]) == []


@every
@settings(deadline=None, max_examples=60)
@given(text=st.text(KNOWN, max_size=30) | st.text("aÉ é\u0301한\n  😀︰▁ﬁ", max_size=20))
def test_offsets_are_of_the_text_as_given(made, text):
    tokenizer = made()
    ids, offsets = tokenizer.encode_with_offsets(text)
    assert ids.tolist() == tokenizer.encode(text).tolist()
    assert offsets.shape == (len(ids), 2)
    assert (offsets[:, 0] <= offsets[:, 1]).all()
    assert (np.diff(offsets, axis=0) >= 0).all()
    if not tokenizer.loses:
        covered = np.zeros(len(text), bool)
        for id, (start, end) in zip(ids.tolist(), offsets.tolist(), strict=True):
            covered[start:end] = True
            piece = tokenizer.decode([id])
            assert text[start:end] == piece if "\ufffd" not in piece else end - start >= 1
        assert covered.all()


@pytest.mark.parametrize("before", ["😀 ", "👨\u200d👩\u200d👧 ", "👍🏽 ", "𠀀 "], ids=ascii)
@every
def test_parts_of_words_are_slices_of_the_text_after_emoji_too(made, before):
    """kiwipiepy#226 and offsets of other libraries count UTF-16 or bytes, and are wrong after emoji."""
    tokenizer, text = made(), "speakhear 나는"

    def after(before: str) -> list[str]:
        _, offsets = tokenizer.encode_with_offsets(before + text)
        alone = len(tokenizer.encode(before.strip()))
        return [(before + text)[start:end] for start, end in offsets.tolist()][alone:]

    surfaces = after(before)
    assert surfaces == after("x ")
    joined = "".join(surface for surface, _ in groupby(surfaces))  # each byte of 나 has all of it
    assert joined.replace(" ", "") == text.replace(" ", "")
    assert len(surfaces) > 3  # of two words


@every
def test_offsets_go_back_before_the_normalisers(made):
    fields = made().to_json()
    tokenizer = tokenizer_from_json({**fields, "normalize": ["breaks_to_spaces", "collapse_whitespace", "lowercase"]})
    assert isinstance(tokenizer, SubwordTokenizer)
    text = "WHO'S   there?<br />\n\n SPEAK"
    ids, offsets = tokenizer.encode_with_offsets(text)
    assert ids.tolist() == tokenizer.encode(text).tolist()
    surfaces = [text[start:end] for start, end in offsets.tolist()]
    pieces = [tokenizer.decode([id]) for id in ids.tolist()]
    for surface, piece in zip(surfaces, pieces, strict=True):
        if piece.strip(" \ufffd"):
            assert surface.lower().strip() == piece.strip()
    assert "".join(surfaces).replace(" ", "").startswith("WHO'Sthere?")


@every
def test_json_brings_back_an_equal_tokenizer(made):
    tokenizer = made()
    again = tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again == tokenizer
    assert type(again) is type(tokenizer)
    assert again.fingerprint == tokenizer.fingerprint
    assert again.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()


@every
def test_padding_moves_every_id_by_one(made):
    tokenizer = made()
    without = tokenizer_from_json({**tokenizer.to_json(), "padding": False})
    assert without.vocabulary_size == tokenizer.vocabulary_size - 1
    assert (without.encode(TEXT) + 1).tolist() == tokenizer.encode(TEXT).tolist()
    assert without.decode(without.encode(TEXT)) == tokenizer.decode(tokenizer.encode(TEXT))
    assert tokenizer.decode([0, *tokenizer.encode(TEXT), 0]) == tokenizer.decode(tokenizer.encode(TEXT))
    assert tokenizer.vocabulary.symbols[0] == "<pad>"
    assert tokenizer.vocabulary.symbols[1:] == without.vocabulary.symbols


@pytest.mark.parametrize("made", [bpe, wordpiece, unigram])
def test_a_text_read_in_parts_has_the_ids_of_the_whole(made, monkeypatch):
    tokenizer = made()
    whole = tokenizer.encode(TEXT * 3).tolist()
    for part in (1, 7, 50):
        monkeypatch.setattr("jaxseq.text.chunks.PART", part)
        assert tokenizer.encode(TEXT * 3).tolist() == whole


TRAINING = """
import sys
sys.path.insert(0, {folder!r})
from small_tokenizers import bpe, wordpiece, unigram
print(bpe().fingerprint, wordpiece().fingerprint, unigram().fingerprint)
"""


def test_trainings_in_other_processes_with_other_numbers_of_threads_give_equal_tokenizers():
    """tokenizers#1794: equally frequent pairs are chosen in the order of a hash table; its unigrams differ too."""
    code = TRAINING.format(folder=str(Path(__file__).parents[1]))
    found = {f"{bpe().fingerprint} {wordpiece().fingerprint} {unigram().fingerprint}"}
    for threads in ("1", "2", "3", "4"):
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        found.add(done.stdout.strip())
    assert len(found) == 1


FORKING = """
import os, sys
sys.path.insert(0, {folder!r})
from small_tokenizers import TEXT, bpe
ids = bpe().encode(TEXT).tolist()
child = os.fork()
if child == 0:
    os._exit(0 if bpe(280).vocabulary_size == 280 and bpe().encode(TEXT).tolist() == ids else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.environ.get("TOKENIZERS_PARALLELISM"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_that_forks_after_training_prints_nothing_and_its_child_can_train():
    code = FORKING.format(folder=str(Path(__file__).parents[1]))
    environment = {**os.environ, "RAYON_NUM_THREADS": "2"}
    environment.pop("TOKENIZERS_PARALLELISM", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("0 None", "")


def test_a_library_that_is_not_installed_is_named_with_what_installs_it(monkeypatch):
    libraries.tokenizers_library.cache_clear()
    libraries.sentencepiece_library.cache_clear()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    fresh = tokenizer_from_json(bpe().to_json())  # which needs none to be read
    for call in (lambda: fresh.encode("a"), lambda: UnigramTokenizer.train("a b"), sentencepieces.__wrapped__):
        with pytest.raises(InputError, match=r"need the package \w+: pip install 'jaxseq\[subword\]'$"):
            call()
    libraries.tokenizers_library.cache_clear()
    libraries.sentencepiece_library.cache_clear()


def test_chunks_of_all_kinds_make_up_the_text():
    from jaxseq.text import chunks

    text = TEXT + "  a\t\tb \x85\u3000 c \n\n d"
    for chunking in (chunks.WORDS, chunks.APART, chunks.SPACED, chunks.LINES, chunks.WHOLE):
        found = chunking.chunk.findall(text)
        assert "".join(found) == text
        ends = {0, *np.cumsum([len(chunk) for chunk in found]).tolist()}
        assert all(match.start() in ends for match in chunking.boundary.finditer(text))
    assert all(a < b for a, b in pairwise(sorted(ends)))


def test_sentencepiece_trains_nothing():
    with pytest.raises(InputError, match=r"is read from its \.model file: to train one, choose kind unigram"):
        SentencePieceTokenizer.train(TEXT)
