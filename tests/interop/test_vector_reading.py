"""Reading of large files, and of a part of one: blocks, limits, progress, and numbers as Python reads them."""

import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.interop import vector_records
from jaxseq.interop.vector_files import glove_file, word2vec_binary_file, word2vec_file
from jaxseq.interop.word_vectors import read_word_vectors

COUNT = 1000
WORDS = [f"word{i}" for i in range(COUNT)]
VECTORS = np.random.default_rng(0).standard_normal((COUNT, 4)).astype(np.float32)
FORMS = {"GloVe": glove_file, "text": word2vec_file, "binary": word2vec_binary_file}


@pytest.fixture(params=FORMS)
def form(request, monkeypatch):
    """Each format, read in blocks of a few lines."""
    for module in ("vector_source", "vector_records"):
        monkeypatch.setattr(f"jaxseq.interop.{module}.PORTION", 500)
    monkeypatch.setattr(vector_records, "LONGEST_WORD", 100)
    return request.param


def written(folder, content, name="vectors"):
    (folder / name).write_bytes(content)
    return folder / name


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read_word_vectors(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_many_blocks_are_one_file(tmp_path, form):
    path = written(tmp_path, b"".join(FORMS[form](WORDS, VECTORS)))
    lines = []
    found = read_word_vectors(path, progress=lines.append)
    assert list(found.words) == WORDS
    np.testing.assert_array_equal(found.vectors, VECTORS)
    assert len(lines) > 20
    assert lines[-1] == f"{path}: 1,000 words" if form == "GloVe" else f"{path}: 1,000 of 1,000 words"


@pytest.mark.parametrize("limit", [1, 9, 10, 11, 500, COUNT, 5000])
def test_a_limit_gives_the_first_words(tmp_path, form, limit):
    path = written(tmp_path, b"".join(FORMS[form](WORDS, VECTORS)))
    lines = []
    found = read_word_vectors(path, limit=limit, progress=lines.append)
    assert list(found.words) == WORDS[:limit]
    np.testing.assert_array_equal(found.vectors, VECTORS[:limit])
    seen = min(limit, COUNT)
    assert lines[-1].endswith(f": {seen:,} words" if form == "GloVe" else f": {seen:,} of {seen:,} words")
    some = read_word_vectors(path, limit=limit, words={"word8", "word600"})
    assert some.words == tuple(word for word in ("word8", "word600") if word in WORDS[:limit])


def test_behind_a_limit_nothing_is_looked_at(tmp_path, form):
    whole = b"".join(FORMS[form](WORDS, VECTORS))
    path = written(tmp_path, whole[: whole.index(b"word500")])
    assert read_word_vectors(path, limit=500).words == tuple(WORDS[:500])
    if form != "GloVe":
        assert "that line 1 promises" in refused(path, limit=501)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(tmp_path, limit):
    assert refused(tmp_path / "none", limit=limit) == f"limit is {limit}: give the number of words to read, 1 or more"


@pytest.mark.parametrize("row", [0, 7, 400, 999])
def test_damage_in_any_block_is_named_with_its_own_place(tmp_path, form, row):
    place = f"record {row + 1:,}:" if form == "binary" else f"line {row + (2 if form == 'text' else 1):,}:"
    wrong = VECTORS.copy()
    wrong[row, 2] = np.nan
    told = refused(written(tmp_path, b"".join(FORMS[form](WORDS, wrong))))
    assert f", {place} the vector of word{row} is not finite" in told
    named = [*WORDS[:row], "\ud800", *WORDS[row + 1 :]]
    told = refused(written(tmp_path, b"".join(FORMS[form](named, VECTORS))))
    assert f", {place} the word \\xed\\xa0\\x80 is no UTF-8" in told
    if form != "binary":
        lines = b"".join(FORMS[form](WORDS, VECTORS)).split(b"\n")
        lines[row + (form == "text")] = f"word{row} 1 2 x 4".encode()
        assert f", {place} x is no number" in refused(written(tmp_path, b"\n".join(lines)))
        lines[row + (form == "text")] = f"word{row} 1 2".encode()
        if (form, row) == ("GloVe", 0):  # it is the one that says how many numbers there are
            place = "line 2: a word and 2 numbers make 3 parts, it has 5"
            assert place in refused(written(tmp_path, b"\n".join(lines)))
            return
        assert f", {place} a word and 4 numbers make 5 parts, it has 3" in refused(written(tmp_path, b"\n".join(lines)))


def test_the_first_thing_that_is_wrong_is_told(tmp_path):
    lines = ["a 1 2", "b 1 x", "c 1", "d 1 2 3 4"]
    assert "line 2: x is no number" in refused(written(tmp_path, "\n".join(lines).encode()))
    assert "line 2: a word" in refused(written(tmp_path, "\n".join([lines[0], *lines[2:]]).encode()))
    assert "line 2: x is no" in refused(written(tmp_path, ("\n".join(lines[:2]) + "\n").encode() + b"\xff 1 2\n"))


def test_a_word_twice_in_different_blocks_counts_once(tmp_path, form):
    words = [*WORDS[:500], *WORDS[:500]]
    found = read_word_vectors(written(tmp_path, b"".join(FORMS[form](words, VECTORS))))
    assert (len(found.words), found.repeated) == (500, 500)
    np.testing.assert_array_equal(found.vectors, VECTORS[:500])


decimals = st.one_of(
    st.floats(-1e30, 1e30).map(repr),
    st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.text("0123456789.+-eEinfax_,#\"'\x00\x0b\u00a0１", min_size=1, max_size=6),
)


@given(st.lists(st.tuples(decimals, decimals), min_size=1, max_size=4))
def test_a_number_is_one_where_python_says_so_and_the_same(tmp_path_factory, rows):
    """Of text the blocks are read by another function than Python's `float`."""
    content = "first 1 1\n" + "".join(f"word{i} {one} {other}\n" for i, (one, other) in enumerate(rows))
    path = written(tmp_path_factory.mktemp("vectors"), content.encode())
    try:
        with np.errstate(over="ignore"):
            expected = np.array([[float(field.encode()) for field in row] for row in rows], np.float64).astype("f4")
    except ValueError:
        expected = None
    if expected is None or not np.isfinite(expected).all() or any("_" in x for row in rows for x in row):
        refused(path)
    else:
        np.testing.assert_array_equal(read_word_vectors(path).vectors[1:], expected)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of gensim's own
def test_the_first_words_of_a_published_file_are_those_of_gensim(data_folder, tmp_path):
    published = data_folder / "word_vectors" / "glove.6B.50d.top40000.txt.xz"
    if not published.is_file():
        pytest.skip(f"no {published}")
    keyed = pytest.importorskip("gensim.models").KeyedVectors
    mine = read_word_vectors(published, limit=3000)
    with lzma.open(published) as file:
        path = written(tmp_path, b"".join(next(file) for _ in range(3000)))
    theirs = keyed.load_word2vec_format(str(path), no_header=True, limit=3000)
    assert list(mine.words) == theirs.index_to_key
    np.testing.assert_array_equal(mine.vectors, theirs.vectors)
