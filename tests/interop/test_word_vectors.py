"""Word vectors in every format that is read, against gensim, plain loops and files that others have made."""

import bz2
import gzip
import hashlib
import lzma
import math
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.errors import InputError
from jaxseq.interop.word_vectors import WordVectors, read_word_vectors, table_for

VECTORS = {
    "the": [0.25, -1.5, 3e-5],
    ",": [1, 2, 3],
    "가나": [0.5, 0.125, -2],
    "a\u00a0b\u0085c": [-1e-30, 7.25, 0],
    "1": [4, 5, 6],
}


def as_text(vectors, *, header, end="\n", close=""):
    lines = [f"{len(vectors)} {len(next(iter(vectors.values())))}"] if header else []
    lines += [f"{word} {' '.join(str(x) for x in numbers)}{close}" for word, numbers in vectors.items()]
    return (end.join(lines) + end).encode()


def as_binary(vectors, *, between=b""):
    head = f"{len(vectors)} {len(next(iter(vectors.values())))}\n".encode()
    return head + between.join(
        (word if isinstance(word, bytes) else word.encode()) + b" " + np.array(numbers, "<f4").tobytes()
        for word, numbers in vectors.items()
    )


FORMATS = {
    "glove": as_text(VECTORS, header=False),
    "word2vec text": as_text(VECTORS, header=True),
    "fastText": as_text(VECTORS, header=True, close=" "),
    "with tabs": as_text(VECTORS, header=True).replace(b" ", b"\t"),
    "of Windows": as_text(VECTORS, header=True, end="\r\n"),
    "marked": b"\xef\xbb\xbf" + as_text(VECTORS, header=True),
    "without a last line end": as_text(VECTORS, header=False).rstrip(b"\n"),
    "with an empty last line": as_text(VECTORS, header=True) + b"\n",
    "binary of gensim": as_binary(VECTORS),
    "binary of word2vec": as_binary(VECTORS, between=b"\n") + b"\n",
}


def written(folder, content, name="vectors.txt"):
    (folder / name).write_bytes(content)
    return folder / name


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read_word_vectors(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_words_and_their_vectors(tmp_path, form):
    found = read_word_vectors(written(tmp_path, FORMATS[form]), features=3)
    assert found.words == tuple(VECTORS)
    np.testing.assert_array_equal(found.vectors, np.array(list(VECTORS.values()), np.float32))
    assert found.vectors.dtype == np.float32
    assert (found.width, found.repeated) == (3, 0)


@pytest.mark.parametrize("form", ["glove", "binary of gensim"])
@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_compressed_files_are_read_as_they_are(tmp_path, suffix, form):
    path = tmp_path / f"vectors.bin{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("vectors.bin", FORMATS[form])
    else:
        path.write_bytes({".gz": gzip, ".bz2": bz2, ".xz": lzma}[suffix].compress(FORMATS[form]))
    assert read_word_vectors(path).words == tuple(VECTORS)


def test_of_several_files_in_an_archive_it_is_the_one_of_the_width_wanted(tmp_path):
    path = tmp_path / "glove.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for width in (2, 3, 5):
            archive.writestr(f"glove.{width}d.txt", as_text({"a": [width] * width}, header=False))
    assert read_word_vectors(path, features=3).vectors.tolist() == [[3, 3, 3]]
    assert "holds several files of vectors" in refused(path)
    assert refused(path, features=4).endswith(
        "glove.5d.txt has vectors of 5 numbers, the model's embedding is 4 wide: give --model.embedding 2 or 3 or 5, "
        "or other vectors"
    )


text_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\r"), min_size=1, max_size=8)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
tables = st.integers(1, 4).flatmap(
    lambda width: st.dictionaries(text_words, st.lists(floats, min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(tables, st.booleans())
def test_what_is_written_is_read_back(tmp_path_factory, table, binary):
    content = as_binary(table) if binary else as_text(table, header=True)
    path = written(tmp_path_factory.mktemp("vectors"), content)
    found = read_word_vectors(path)
    assert found.words == tuple(table)
    np.testing.assert_array_equal(found.vectors, np.array(list(table.values()), np.float32))


def test_only_the_words_asked_for_are_kept(tmp_path):
    for form in ("glove", "binary of word2vec"):
        found = read_word_vectors(written(tmp_path, FORMATS[form]), words=["1", "the", "none", "\ud800"])
        assert found.words == ("the", "1")
        assert found.vectors.tolist() == np.array([VECTORS["the"], VECTORS["1"]], np.float32).tolist()
    found = read_word_vectors(written(tmp_path, FORMATS["glove"]), words=[])
    assert (found.words, found.vectors.shape) == ((), (0, 3))


def test_of_a_word_that_occurs_again_the_first_vector_counts(tmp_path):
    found = read_word_vectors(written(tmp_path, b"a 1 2\nb 3 4\na 5 6\na 7 8\n"))
    assert (found.words, found.vectors.tolist(), found.repeated) == (("a", "b"), [[1, 2], [3, 4]], 2)


def test_a_word_of_several_parts_is_one_word(tmp_path):
    found = read_word_vectors(written(tmp_path, b"the 1 2\n. . . 3 4\nat name@domain.com 5 6\n"))
    assert found.words == ("the", ". . .", "at name@domain.com")
    assert read_word_vectors(written(tmp_path, b". . . 3 4\nthe 1 2\n")).words == (". . .", "the")


HALF = {b"ab": [1.0, 2.0], "한".encode()[:2]: [3.0, 4.0], b"c": [5.0, 6.0]}
"""As word2vec's program writes a word that is too long for it."""


def test_half_a_character_is_told_and_can_be_read(tmp_path):
    path = written(tmp_path, as_binary(HALF), "vectors.bin")
    told = refused(path)
    assert told.endswith(
        r'vectors.bin, record 2: the word \xed\x95 is no UTF-8: fetch the file again, or read it with errors="replace"'
    )
    found = read_word_vectors(path, errors="replace")
    assert found.words == ("ab", "\ufffd", "c")
    assert found.vectors.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert read_word_vectors(path, words=["c"]).words == ("c",)  # the others are not looked at


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty: fetch it again"),
        (b"It was the best of times\n", "is no file of word vectors, or damaged: by its first line a vector has 0"),
        (b"a 1 2\nb 3\n", "line 2: a word and 2 numbers make 3 parts, it has 2"),
        (b"a 1 2\nb 3 4 c 5 6\n", "line 2: a word and 2 numbers make 3 parts, it has 6"),
        (b"a 1 2\n\nb 3 4\n", "line 2: a word and 2 numbers make 3 parts, it has 1"),
        (b"a 1 2\nb 3 x\x1b4\n", r"line 2: x\x1b4 is no number"),
        (b"a 1 2\nb 3 4_5\n", "line 2: 4_5 is no number"),
        (b"a 1 x 2\n", "line 1: x is no number"),
        (b"2 2\na 1 2\nb 3\n", "line 3: a word and 2 numbers make 3 parts, it has 2"),
        (b"1 2\na 1\nb 3 4\n", "line 2: a word and 2 numbers make 3 parts, it has 2"),
        (b"2 2\na 1 x\nb 3 4\n", "line 2: x is no number"),
        (b"a 1 2\n 3 4\n", "line 2: no word stands before the numbers"),
        (b"a 1 2\nb 3 nan\n", "line 2: the vector of b is not finite in float32"),
        (b"a 1 2\nb inf 3\n", "line 2: the vector of b is not finite in float32"),
        (b"a 1 2\nb 1e39 3\n", "line 2: the vector of b is not finite in float32"),
        (b"a 1 2\n\xff 1 2\n", r"line 2: the word \xff is no UTF-8"),
        (b"3 2\na 1 2\nb 3 4\n", "ends after 2 of the 3 words that line 1 promises: mend line 1"),
        (b"1 2\na 1 2\nb 3 4\n", "has more than the 1 words that line 1 promises"),
        (b"1 0\na\n", "by its first line a vector has 0 numbers"),
        (b"1 99999999999\na\n", "by its first line a vector has 99,999,999,999 numbers"),
        (as_binary({"a": [1, 2], "b": [3, 4]})[:-1], "is damaged at record 2 of the 2 that line 1 promises"),
        (b"9" + as_binary({"a": [1, 2]}), "is damaged at record 2 of the 91 that line 1 promises"),
        (as_binary({"a": [1, 2]}) + b"\nb ", "has more than the 1 words that line 1 promises"),
        (as_binary({"a": [1, 2], "b": [math.nan, 4]}), "record 2: the vector of b is not finite"),
        (as_binary({"a": [1, 2], "": [3, 4]}), "record 2: no word stands before the numbers"),
        (b"\x89PNG\r\n\x1a\n" + bytes(300), "is a picture (.png), no file of vectors: leave it out"),
        (gzip.compress(b"a 1 2\n"), "is a gzip file (.gz), no file of vectors: let its name end in .gz"),
        ("a 1 2\n".encode("utf-16"), "is no file of word vectors"),
        (b"2 2\n" + b"x" * 10_000, "is damaged at record 1 of the 2"),
        (b"a 1 2\n" + b"x" * 3_000_000, "has a line of more than"),
    ],
)
def test_damage_is_named_with_its_place(tmp_path, content, told):
    assert told in refused(written(tmp_path, content))


@pytest.mark.parametrize("form", ["glove", "word2vec text", "binary of gensim"])
def test_vectors_of_another_width_are_refused_with_both_and_the_remedy(tmp_path, form):
    path = written(tmp_path, FORMATS[form])
    told = "has vectors of 3 numbers, the model's embedding is 64 wide: give --model.embedding 3, or other vectors"
    assert refused(path, features=64) == f"{path} {told}"
    assert "is 64 wide: give --model.features 3, or other" in refused(path, features=64, field="model.features")
    with pytest.raises(InputError, match=re.escape(told)):
        table_for(["the"], read_word_vectors(path), features=64)


def test_what_cannot_be_read_is_told(tmp_path):
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.txt")
    assert "cannot be read (Is a directory)" in refused(tmp_path) or "device" in refused(tmp_path)
    damaged = written(tmp_path, gzip.compress(FORMATS["glove"])[:-9], "cut.txt.gz")
    assert "is damaged, or not what its name says" in refused(damaged)


@pytest.mark.parametrize("head", [b"1000000000000 300\n", b"1000000000000 65536\n"])
@pytest.mark.parametrize("tail", [b"", b"a " + bytes(600), b"a" * 600, b"a 0.1\n"])
def test_a_file_that_promises_the_world_takes_no_memory(tmp_path, head, tail):
    path = written(tmp_path, head + tail)
    tracemalloc.start()
    try:
        refused(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of gensim's own
def test_gensim_reads_the_same(tmp_path):
    keyed = pytest.importorskip("gensim.models").KeyedVectors
    draw = np.random.default_rng(0)
    plain = {f"word{i}": draw.normal(size=20).tolist() for i in range(500)}
    forms = {
        "text": (as_text(plain, header=True), {}),
        "no header": (as_text(plain, header=False), {"no_header": True}),
        "binary": (as_binary(plain), {"binary": True}),
        "half": (as_binary(HALF), {"binary": True, "unicode_errors": "replace"}),
        "repeated": (b"3 2\na 1 2\nb 3 4\na 5 6\n", {}),
    }
    for name, (content, options) in forms.items():
        path = written(tmp_path, content)
        mine, theirs = read_word_vectors(path, errors="replace"), keyed.load_word2vec_format(str(path), **options)
        assert list(mine.words) == [word for word in theirs.index_to_key if word is not None], name
        np.testing.assert_array_equal(mine.vectors, theirs.vectors[: len(mine.words)])


@pytest.mark.parametrize("binary", [True, False])
def test_what_gensim_writes_is_read(tmp_path, binary):
    keyed = pytest.importorskip("gensim.models").KeyedVectors
    draw = np.random.default_rng(0)
    theirs = keyed(vector_size=7)
    theirs.add_vectors([f"낱말{i}" for i in range(100)], draw.normal(size=(100, 7)).astype(np.float32))
    theirs.save_word2vec_format(str(tmp_path / "vectors"), binary=binary)
    mine = read_word_vectors(tmp_path / "vectors")
    assert list(mine.words) == theirs.index_to_key
    np.testing.assert_array_equal(mine.vectors, theirs.vectors)


# Of each published file: words and width; its first words; the first numbers of the last one; a digest of all numbers.
# gensim 4.4.0 reads the same, bit for bit.
PUBLISHED = {
    "glove.6B.50d.top40000.txt.xz": (40000, 50, ["the", ",", "."], [-0.045407, -0.42865, -1.0379], "7fa32babba3df65e"),
    "pang_lee_polarity_fasttext.vec": (
        1694,
        100,
        [".", "the", "</s>"],
        [-0.0091251, -0.0080689, 0.0018104],
        "8f5cb9f7ad6c85f3",
    ),
    "euclidean_vectors.bin": (2747, 10, ["the", "to", "of"], [0.700036, 0.83025765, -0.49669528], "6c7e2bd93bab6b84"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_are_read_to_the_last_number(data_folder, name):
    path = data_folder / "word_vectors" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    count, width, first, last, digest = PUBLISHED[name]
    found = read_word_vectors(path, errors="replace")
    assert found.vectors.shape == (count, width)
    assert list(found.words[:3]) == first
    np.testing.assert_allclose(found.vectors[-1, :3], last, rtol=1e-6)
    assert hashlib.sha256(found.vectors.astype("<f4").tobytes()).hexdigest()[:16] == digest


def test_a_table_has_the_vectors_of_known_words_and_draws_the_others(tmp_path):
    vectors = read_word_vectors(written(tmp_path, FORMATS["glove"]))
    words = ("<pad>", "1", "unheard", "the")
    found = table_for(words, vectors, features=3, seed=1)
    assert found.table.dtype == np.float32
    assert found.is_known.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(found.table[[1, 3]], np.array([VECTORS["1"], VECTORS["the"]], np.float32))
    assert str(found) == f"2 of 4 words (50.0%) have a vector in {tmp_path / 'vectors.txt'}"


def test_what_is_drawn_follows_from_the_seed_and_has_the_spread_of_the_vectors():
    draw = np.random.default_rng(0)
    known = WordVectors(tuple("abcdefgh"), draw.normal(0, 0.3, (8, 50)).astype(np.float32), "x.txt")
    words = (*"abcdefgh", *(f"unknown{i}" for i in range(500)))
    one, same, other = (table_for(words, known, features=50, seed=seed).table for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one[8:] != other[8:]).all()
    assert one[8:].std() == pytest.approx(known.vectors.std(), rel=0.02)
    assert abs(one[8:].mean()) < 0.01
    renamed = table_for([*"abcdefgh", *(f"other{i}" for i in range(500))], known, features=50).table
    np.testing.assert_array_equal(one, renamed)


def test_where_no_word_is_known_all_are_drawn():
    known = WordVectors(("a",), np.ones((1, 400), np.float32), "x.txt")
    found = table_for([str(i) for i in range(100)], known, features=400)
    assert not found.is_known.any()
    assert found.table.std() == pytest.approx(1 / 20, rel=0.05)
    assert str(table_for([], known, features=400)) == "0 of 0 words have a vector in x.txt"
