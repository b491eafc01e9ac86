"""ARPA files: written for others, read from others, and scored as KenLM scores them."""

import bz2
import gzip
import lzma
import math
import zipfile

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kneser_ney_by_hand import log_probability

from jaxseq.data.kneser_ney import estimate_kneser_ney
from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.errors import InputError
from jaxseq.interop.arpa import ArpaModel, arpa_names, arpa_pieces, is_arpa, read_arpa, read_arpa_unigrams
from jaxseq.models import NGram

PRUNED = """
\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-99\t<s>\t-0.3
-1.5\t</s>
-0.75\ta\t-0.25
-0.5\tb\t-0.125
-1.25\t한국\t0.0625

\\2-grams:
-0.25\t<s> a\t-0.5
-0.375\ta b\t0.1
-1\tb 한국
-0.125\t한국 b\t-0.2

\\3-grams:
-0.0625\t<s> a b
-0.3\t한국 b a

\\end\\
"""
"""Of somebody else: without <unk>, without the 2-gram "b a" that ends a 3-gram, and not interpolated."""


def written(folder, content, name="model.arpa"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def refused(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_arpa(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(path))


def of_kenlm(path):
    kenlm = pytest.importorskip("kenlm", reason="pip install -e '.[kenlm]', which wants a C++ compiler")
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    return kenlm.Model(str(path), config)


def in_kenlm(path, sentences) -> list[float]:
    """Logarithms to base 10 of all words and ends of sentences."""
    model = of_kenlm(path)
    return [score for words in sentences for score, _, _ in model.full_scores(" ".join(words))]


def in_jax(model: ArpaModel, sentences) -> np.ndarray:
    """The same by the model that decoding and tasks use."""
    targets = [model.ids([*words, "</s>"]) for words in sentences]
    mask = np.arange(max(map(len, targets))) < np.array([[len(row)] for row in targets])
    y = np.zeros(mask.shape, np.int32)
    y[mask] = np.concatenate(targets)
    x = np.pad(y[:, :-1], ((0, 0), (1, 0)), constant_values=model.begin)
    body = NGram(len(model.words), model.tables.order, model.begin)
    score = jax.jit(lambda p: body.apply({"params": p}, x, y, mask=mask, method="log_probability")[0])
    return np.asarray(score(model.tables.params()))[mask] / math.log(10)


def trained(sentences, *, order):
    """Tables and symbols of a model with <unk>, <s> and </s> as ids 0, 1 and 2."""
    symbols = ["<unk>", "<s>", "</s>", *sorted({word for words in sentences for word in words})]
    places = {symbol: i for i, symbol in enumerate(symbols)}
    ids = [places[word] for words in sentences for word in [*words, "</s>"]]
    starts = np.cumsum([0, *(len(words) + 1 for words in sentences)])[:-1]
    counts = count_ngrams(ids, order=order, vocabulary_size=len(symbols), starts=starts, begin=1)
    return estimate_kneser_ney(counts).tables, symbols


def named(symbols):
    return arpa_names(symbols, begin=1, end=2, unknown=0)


def assert_same_tables(one, other):
    assert one.params().keys() == other.params().keys()
    jax.tree.map(np.testing.assert_array_equal, one.params(), other.params())


@pytest.mark.parametrize(
    ("source", "order"),
    [("tinyshakespeare/input.txt", 3), ("nsmc/nsmc_reviews_lm.txt.xz", 5)],
    ids=["words", "characters"],
)
def test_kenlm_scores_our_file_of_real_text_as_we_do(data_folder, tmp_path, source, order):
    """mitlm#28: with words and characters that the model has never seen."""
    path = data_folder / source
    with (lzma.open if path.suffix == ".xz" else open)(path, "rt", encoding="utf-8") as file:
        lines = [line for line in file.read(300_000).splitlines() if line.strip()]
    sentences = [line.split() if order == 3 else [c for c in line if not c.isspace()] for line in lines]
    tables, symbols = trained(sentences[:-400], order=order)
    path = written(tmp_path, b"".join(arpa_pieces(tables, named(symbols))))
    model = read_arpa(path)
    assert_same_tables(model.tables, tables)
    expected = in_kenlm(path, sentences[-400:])
    np.testing.assert_allclose(in_jax(model, sentences[-400:]), expected, rtol=0, atol=1e-5)
    assert sum(word not in symbols for words in sentences[-400:] for word in words) > 10


sentences_of_words = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "é", "한", "\\", "1"]), max_size=8), min_size=1, max_size=5
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences_of_words, st.integers(2, 4), st.lists(st.sampled_from(["a", "b", "한", "z"]), max_size=6))
def test_kenlm_scores_our_file_of_any_text_as_we_do(tmp_path, sentences, order, asked):
    tables, symbols = trained(sentences, order=order)
    path = written(tmp_path, b"".join(arpa_pieces(tables, named(symbols))))
    model = read_arpa(path, names=named(symbols))
    assert_same_tables(model.tables, tables)
    ids = [1, *model.ids([*asked, "</s>"]).tolist()]
    found = [log_probability(model.tables, ids[i], ids[:i]) / math.log(10) for i in range(1, len(ids))]
    np.testing.assert_allclose(found, in_kenlm(path, [asked]), rtol=0, atol=1e-5)


ASKED = [["a", "b", "a", "한국"], ["한국", "b", "a", "b"], ["new", "a", "b", "한국", "b", "a"], [], ["b"] * 7]
OF_KENLM = [
    *(-0.25, -0.0625, -0.775, -1.5, -1.4375, -1.55, -0.125, -0.3, -0.375, -1.525),
    *(-100.3, -0.75, -0.375, -0.9, -0.125, -0.3, -1.75, -1.8, -0.8, *[-0.625] * 6, -1.625),
]
"""What KenLM 0.3.0 says of each word and end in PRUNED, to base 10."""


def test_the_scores_of_a_file_of_others_are_still_what_kenlm_says(tmp_path):
    path = written(tmp_path, PRUNED)
    np.testing.assert_allclose(in_kenlm(path, ASKED), OF_KENLM, rtol=0, atol=1e-5)


def test_a_file_of_others_is_scored_as_kenlm_scores_it(tmp_path):
    path = written(tmp_path, PRUNED)
    model = read_arpa(path)
    found = in_jax(model, ASKED)
    np.testing.assert_allclose(found, OF_KENLM, rtol=0, atol=1e-5)
    assert found.min() < -99, "an unknown word has 10^-100 where there is no <unk>"
    assert model.words == ("<s>", "</s>", "a", "b", "한국", "<unk>")
    assert_same_tables(
        read_arpa(written(tmp_path, b"".join(arpa_pieces(model.tables, model.words)))).tables, model.tables
    )


def test_texts_without_begin_and_with_white_space_as_symbols_are_written_too(tmp_path):
    text = "to be, or not to be:\n that is the question\n" * 3
    symbols = ["<pad>", *sorted(set(text))]
    ids = [symbols.index(c) for c in text]
    tables = estimate_kneser_ney(count_ngrams(ids, order=3, vocabulary_size=len(symbols)), excluded=[0]).tables
    names = arpa_names(symbols)
    assert names[:3] == ("<pad>", "<U+000A>", "<U+0020>")
    path = written(tmp_path, content := b"".join(arpa_pieces(tables, names)))
    assert_same_tables(read_arpa(path, names=names).tables, tables)
    assert b"<pad>" not in content
    model = of_kenlm(path)
    scores = [score for score, _, _ in model.full_scores(" ".join(names[i] for i in ids[:20]), bos=False, eos=False)]
    found = [log_probability(tables, ids[i], ids[:i]) / math.log(10) for i in range(20)]
    np.testing.assert_allclose(found, scores, rtol=0, atol=1e-5)


def test_a_model_of_single_words_is_written_and_read_too(tmp_path):
    tables, symbols = trained([["a", "b", "a"], ["b", "b"]], order=1)
    path = written(tmp_path, b"".join(arpa_pieces(tables, named(symbols))))
    assert_same_tables(read_arpa(path).tables, tables)
    with pytest.raises(ValueError, match="4 names are none for 5 ids"):
        next(arpa_pieces(tables, named(symbols)[:4]))


def test_every_symbol_has_a_name_of_its_own():
    assert arpa_names(["<s>", "<unk>", "\u00a0", "\u200b", "\ud800", "<U+0041>", "가"]) == (
        *("<U+003C>s>", "<U+003C>unk>", "<U+00A0>", "<U+200B>", "<U+D800>", "<U+0041>", "가"),
    )
    assert arpa_names(["x", "y", "z"], begin=2, end=0, unknown=1) == ("</s>", "<unk>", "<s>")
    with pytest.raises(InputError, match="the symbol of id 1 is empty"):
        arpa_names(["a", ""])
    with pytest.raises(InputError, match=r"the ids 0 and 1 are both '<U\+0020>' in an ARPA file: rename one"):
        arpa_names([" ", "<U+0020>"])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\t", " "),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("ngram 2=4", "ngram  2 = 4"),
        lambda text: text.replace("\n\n", "\n\n\n"),
        lambda text: text.replace("-1.5\t</s>", "-1.5\t</s>\t0"),
        lambda text: text.rstrip("\n"),
    ],
    ids=["of_windows", "blanks", "marked", "spaced", "empty_lines", "no_weight", "no_last_end"],
)
def test_what_other_programs_do_differently_is_read_alike(tmp_path, change):
    assert_same_tables(read_arpa(written(tmp_path, change(PRUNED))).tables, read_arpa(written(tmp_path, PRUNED)).tables)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_compressed_files_are_read_as_they_are(tmp_path, suffix):
    path = tmp_path / f"model.arpa{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model.arpa", PRUNED)
    else:
        path.write_bytes({".gz": gzip, ".bz2": bz2, ".xz": lzma}[suffix].compress(PRUNED.encode()))
    assert_same_tables(read_arpa(path).tables, read_arpa(written(tmp_path, PRUNED)).tables)


ERRORS = [
    ("\\data\\", "\\date\\", r", line 2: an ARPA file begins with \data\, not with '\\date\\': give one"),
    ("ngram 2=4", "ngram 3=4", ", line 4: 'ngram 3=4' is not the number of 2-grams, as in ngram 2=3: mend the line"),
    ("ngram 1=5", "ngram 1=4", r", line 12: '-1.25 한국 0.0625' stands where \2-grams: should"),
    ("ngram 2=4", "ngram 2=5", ", line 19: the 2-grams end after 4 of the 5 that the start promises: fetch the file"),
    ("-0.75\ta", "0.75\ta", ", line 10: '0.75' is above 0, no logarithm of a probability: mend the line"),
    ("-0.75\ta", "nan\ta", ", line 10: 'nan' is no finite number: mend the line"),
    ("-0.75\ta", "-0.7_5\ta", ", line 10: '-0.7_5' is no finite number: mend the line"),
    ("a b\t0.1", "a b\tinf", ", line 16: 'inf' is no finite number: mend the line"),
    ("a b\t0.1", "a b b\t0.1", ", line 16: a 2-gram makes 3 or 4 parts, it has 5: mend the line"),
    ("<s> a b", "<s> a b\t-1", ", line 21: one of the longest n-grams has a back-off weight, '-1': leave it out"),
    ("-0.5\tb", "-0.5\ta", ", line 11: the word 'a' is in line 10 too: leave one out"),
    ("b 한국", "b c", ", line 17: the word 'c' is none of the 1-grams, or of the vocabulary: add it"),
    ("b 한국", "a b", ", line 17: 'a b' is in line 16 too: leave one out"),
    (
        "한국 b a",
        "b a a",
        ", line 22: 'b a a' begins with 'b a', which is none of the 2-grams: add it, or leave this one",
    ),
    ("\\end\\", "", r", line 25: the file ends where \end\ should stand: fetch the file again"),
    ("\\end\\", "\\end\\\nmore", r", line 25: 'more' stands behind \end\: leave it out"),
]


@pytest.mark.parametrize(("old", "new", "message"), ERRORS, ids=range(len(ERRORS)))
def test_what_is_wrong_is_told_with_its_line(tmp_path, old, new, message):
    assert PRUNED.count(old) >= 1
    assert refused(written(tmp_path, PRUNED.replace(old, new, 1))).startswith(message)


def test_a_file_cut_short_anywhere_is_told(tmp_path):
    lines = PRUNED.splitlines(keepends=True)
    for count in range(1, len(lines) - 1):
        assert refused(written(tmp_path, "".join(lines[:count]))).split(":")[0].startswith((", line", " is empty"))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(PRUNED.encode()) - 1), st.binary(max_size=3), st.integers(0, 40))
def test_a_damaged_file_is_read_or_told_in_one_line(tmp_path, at, content, left_out):
    damaged = PRUNED.encode()[:at] + content + PRUNED.encode()[at + left_out :]
    path = written(tmp_path, damaged)
    try:
        model = read_arpa(path)
    except InputError:
        refused(path)
    else:
        assert not any(np.isnan(x).any() for grams in model.tables.grams for x in grams if x is not None)


def test_what_is_no_arpa_file_is_told(tmp_path):
    assert refused(written(tmp_path, b"")) == " is empty: fetch it again"
    assert refused(written(tmp_path, b"mmap lm http://kheafield.com/code format version 5\n\0")).startswith(
        " is a binary file of KenLM: give the ARPA file"
    )
    assert "no ARPA file: let its name end in .gz" in refused(written(tmp_path, gzip.compress(b"x")))
    assert refused(written(tmp_path, PRUNED.encode().replace("한국".encode(), b"\xed\x95"))).startswith(
        r", line 12: the word '\\xed\\x95' is no UTF-8: write the file as UTF-8"
    )
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none")
    assert "has a line of more than 1,048,576 bytes" in refused(written(tmp_path, b"x" * 2**22))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.txt", PRUNED)
        archive.writestr("b.txt", PRUNED)
    assert "holds several files: unpack it" in refused(tmp_path / "two.zip")


def test_single_words_are_read_alone_and_named_back(tmp_path):
    symbols = ["<pad>", "\n", " ", "<unk>", "\u200b", "<U+0041>", "<U+0020>x", "가"]
    tables = estimate_kneser_ney(count_ngrams([1, 2, 4, 1, 3], order=2, vocabulary_size=8), excluded=[0]).tables
    path = written(tmp_path, b"".join(arpa_pieces(tables, arpa_names(symbols))))
    cut = written(tmp_path, path.read_bytes().partition(b"\\2-grams:")[0], "cut.arpa")
    found = read_arpa_unigrams(cut)
    assert (found.order, found.symbols, found.is_of_sentences) == (2, (*symbols[1:6], " x", symbols[7]), False)
    assert found.words["<s>"] == found.words["</s>"] == -99
    assert read_arpa_unigrams(written(tmp_path, PRUNED)).is_of_sentences
    raw = ["a\u200b", "a<U+1F600>", "<U+D800>", "<U+110000>"]  # of others, who escape nothing
    lines = "".join(f"-1\t{word}\n" for word in raw)
    content = f"\\data\\\nngram 1=4\n\n\\1-grams:\n{lines}\n\\end\\\n"
    path = written(tmp_path, content)
    assert read_arpa_unigrams(path).symbols == tuple(raw)
    model = read_arpa(path, names=arpa_names(raw))
    assert np.isfinite(model.tables.grams[0].log_probabilities).all()


def test_what_is_called_so_or_begins_so_is_an_arpa_file(tmp_path):
    assert is_arpa(written(tmp_path, PRUNED, "model.lm"))
    assert is_arpa(written(tmp_path, gzip.compress(b"\n" + PRUNED.encode()), "model.lm.gz"))
    assert is_arpa(written(tmp_path, b"", "model.ARPA.gz"))
    assert not is_arpa(written(tmp_path, '{"kind": "word"}', "tokenizer.json"))
    assert not any(map(is_arpa, (tmp_path, tmp_path / "none", tmp_path / ("x" * 300), written(tmp_path, b"", "x"))))


def test_special_words_that_a_vocabulary_lacks_are_passed_over(tmp_path):
    names = ["b", "a", "한국"]
    model = read_arpa(written(tmp_path, PRUNED), names=names)
    assert [len(grams.words) for grams in model.tables.grams] == [3, 3, 1]
    tokens = ["a", "b", "a", "한국", "b", "b", "a"]
    ids = [names.index(token) for token in tokens]
    found = [log_probability(model.tables, ids[i], ids[:i]) / math.log(10) for i in range(len(ids))]
    kenlm = of_kenlm(tmp_path / "model.arpa")
    scores = [score for score, _, _ in kenlm.full_scores(" ".join(tokens), bos=False, eos=False)]
    np.testing.assert_allclose(found, scores, rtol=0, atol=1e-5)


def test_what_ends_sentences_in_running_text_begins_the_next_too(tmp_path):
    names = ["b", "a", "한국", "<U+000A>"]
    model = read_arpa(written(tmp_path, PRUNED), names=names, sentence_end=3)
    sentences = [["a", "b", "a", "한국"], ["한국", "b", "a", "b"], [], ["b"] * 7]
    ids = [3, *(id for words in sentences for id in [*map(names.index, words), 3])]
    found = [log_probability(model.tables, ids[i], ids[:i]) / math.log(10) for i in range(1, len(ids))]
    np.testing.assert_allclose(found, in_kenlm(tmp_path / "model.arpa", sentences), rtol=0, atol=1e-5)


def test_words_must_be_those_of_the_vocabulary(tmp_path):
    path = written(tmp_path, PRUNED)
    assert refused(path, names=["<s>", "</s>", "a", "b"]).startswith(
        ", line 12: the word '한국' is none of the vocabulary: give that of the file"
    )
    model = read_arpa(path, names=["<pad>", "한국", "b", "a", "<s>", "</s>"])
    assert np.isneginf(model.tables.grams[0].log_probabilities).tolist() == [True, False, False, False, True, False]
    assert model.unknown is None
    with pytest.raises(InputError, match="the model has no word 'new' and no <unk>: leave it out"):
        model.ids(["a", "new"])
