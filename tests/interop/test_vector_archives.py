"""Word vectors as archives of arrays: NumPy's .npz, .safetensors."""

import json
import struct
import sys

import numpy as np
import pytest

from jaxseq.errors import InputError
from jaxseq.interop.ngram_vectors import NgramVectors
from jaxseq.interop.vector_archives import npz_file, safetensors_file
from jaxseq.interop.word_vectors import read_word_vectors

WORDS = ("<unk>", "to", "값이", "\n", "two words", "\ud800")
VECTORS = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
NGRAMS = NgramVectors(np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32), 2, 4)
WRITERS = {".npz": npz_file, ".safetensors": safetensors_file}


@pytest.fixture(params=WRITERS)
def ending(request):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return request.param


def written(path, words=WORDS, vectors=VECTORS, ngrams=None):
    path.write_bytes(b"".join(WRITERS[path.suffix](words, vectors, ngrams)))
    return path


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read_word_vectors(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_words_and_vectors_come_back_to_the_last_bit(tmp_path, ending):
    path = written(tmp_path / f"a{ending}")
    found = read_word_vectors(path, features=3)
    assert (found.words, found.repeated, found.ngrams, found.source) == (WORDS, 0, None, str(path))
    np.testing.assert_array_equal(found.vectors, VECTORS)
    assert found.vectors.dtype == np.float32


def test_some_words_and_the_first_ones_can_be_read(tmp_path, ending):
    path = written(tmp_path / f"a{ending}")
    some = read_word_vectors(path, words={"to", "\n", "none"})
    assert some.words == ("to", "\n")
    np.testing.assert_array_equal(some.vectors, VECTORS[[1, 3]])
    lines = []
    first = read_word_vectors(path, limit=2, progress=lines.append)
    assert first.words == WORDS[:2]
    np.testing.assert_array_equal(first.vectors, VECTORS[:2])
    assert lines == [f"{path}: 2 of 2 words"]
    assert read_word_vectors(path, words={"\n"}, limit=2).vectors.shape == (0, 3)
    assert read_word_vectors(path, limit=99).words == WORDS


def test_ngrams_come_back_and_make_vectors_of_other_words(tmp_path, ending):
    found = read_word_vectors(written(tmp_path / f"a{ending}", ngrams=NGRAMS))
    np.testing.assert_array_equal(found.ngrams.buckets, NGRAMS.buckets)
    assert (found.ngrams.shortest, found.ngrams.longest) == (2, 4)
    looked = found.find(["to", "unseen"])
    np.testing.assert_array_equal(looked.vectors, [VECTORS[1], NGRAMS.means([b"unseen"])[0][0]])
    assert looked.is_composed.tolist() == [False, True]


def test_of_a_word_that_comes_twice_the_first_counts(tmp_path, ending):
    found = read_word_vectors(written(tmp_path / f"a{ending}", ("to", "be", "to", "or"), VECTORS[:4]))
    assert (found.words, found.repeated) == (("to", "be", "or"), 1)
    np.testing.assert_array_equal(found.vectors, VECTORS[[0, 1, 3]])


def test_another_width_is_told(tmp_path, ending):
    told = "has vectors of 3 numbers, the model's embedding is 8 wide: give --model.embedding 3"
    assert told in refused(written(tmp_path / f"a{ending}"), features=8)


def test_no_words_are_no_error(tmp_path, ending):
    found = read_word_vectors(written(tmp_path / f"a{ending}", (), VECTORS[:0]))
    assert (found.words, found.vectors.shape) == ((), (0, 3))


def test_an_archive_cut_anywhere_is_one_line(tmp_path, ending):
    content = written(tmp_path / f"a{ending}").read_bytes()
    for size in range(0, len(content), 7):
        (tmp_path / f"a{ending}").write_bytes(content[:size])
        assert f"is damaged, or no {ending}" in refused(tmp_path / f"a{ending}")


def test_a_file_that_is_not_there_is_told(tmp_path, ending):
    assert "cannot be read (No such file or directory)" in refused(tmp_path / f"a{ending}")
    (tmp_path / f"b{ending}").mkdir()
    assert "cannot be read (Is a directory)" in refused(tmp_path / f"b{ending}")


NUMBERS = {"words": np.array(WORDS), "vectors": VECTORS}
DAMAGED = [
    ({"words": np.array(WORDS)}, "must have 'words' and 'vectors'"),
    (NUMBERS | {"words": np.array(WORDS[:2])}, r"holds 2 words and vectors of shape [6, 3]"),
    (NUMBERS | {"vectors": VECTORS[0]}, "words must be [v] texts, vectors [v, d] numbers"),
    (NUMBERS | {"vectors": VECTORS[:, :0]}, "holds 6 words and vectors of shape [6, 0]"),
    (NUMBERS | {"vectors": np.ones((6, 3), np.int32)}, "vectors are int32: write them as float32"),
    (NUMBERS | {"vectors": np.full((6, 3), np.nan)}, "the vector of <unk> is not finite"),
    (NUMBERS | {"vectors": np.full((6, 3), 1e300)}, "the vector of <unk> is not finite"),
    (NUMBERS | {"buckets": VECTORS, "ngram_lengths": np.ones(3, np.int64)}, "must be two numbers from 1 to 100"),
    (NUMBERS | {"buckets": VECTORS, "ngram_lengths": np.ones(2)}, "must be two numbers from 1 to 100"),
    (NUMBERS | {"buckets": VECTORS, "ngram_lengths": np.array([3, 10**9])}, "must be two numbers from 1 to 100"),
    (NUMBERS | {"buckets": VECTORS[:, :2], "ngram_lengths": np.array([3, 6])}, "and buckets of shape [6, 2]"),
    (NUMBERS | {"buckets": VECTORS[:0], "ngram_lengths": np.array([3, 6])}, "and buckets of shape [0, 3]"),
    (NUMBERS | {"buckets": VECTORS * np.inf, "ngram_lengths": np.array([3, 6])}, "the vector of bucket 0 is not"),
]


@pytest.mark.parametrize(("arrays", "told"), DAMAGED)
def test_other_arrays_are_refused_in_one_line(tmp_path, ending, arrays, told):
    path = tmp_path / f"a{ending}"
    if ending == ".npz":
        np.savez(path, **arrays)
    else:
        from safetensors.numpy import save_file

        listed = json.dumps(arrays["words"].tolist()).encode()
        rest = {name: np.ascontiguousarray(array) for name, array in arrays.items() if name != "words"}
        save_file({"words": np.frombuffer(listed, np.uint8), **rest}, path)
    assert told in refused(path)


def test_an_npz_of_objects_or_numbers_for_words_and_an_npy_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, words=np.array(WORDS, object), vectors=VECTORS)
    assert "is damaged, or no .npz" in refused(path)
    np.savez(path, words=np.arange(6), vectors=VECTORS)
    assert "words must be [v] texts" in refused(path)
    with path.open("wb") as file:
        np.save(file, VECTORS)
    assert "is damaged, or no .npz" in refused(path)


@pytest.mark.parametrize("words", [b'{"a": 1}', b"[1]", b"[", b"\xff\xff\xff", b"[" * 100_000])
def test_a_safetensors_whose_words_are_no_list_of_texts_is_refused(tmp_path, words):
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "a.safetensors"
    numpy.save_file({"words": np.frombuffer(words, np.uint8), "vectors": VECTORS[:1]}, path)
    assert "words must be a JSON list" in refused(path) or "is damaged, or no .safetensors" in refused(path)


def by_hand(kind, numbers):
    """A .safetensors of one word and three numbers, as its format is described."""
    fields = {
        "words": {"dtype": "U8", "shape": [5], "data_offsets": [0, 5]},
        "vectors": {"dtype": kind, "shape": [1, 3], "data_offsets": [5, 5 + len(numbers)]},
    }
    header = json.dumps(fields).encode()
    return struct.pack("<Q", len(header)) + header + b'["a"]' + numbers


def test_a_file_made_by_hand_is_read_also_in_half_precision_and_bfloat16_is_told(tmp_path):
    pytest.importorskip("safetensors")
    path, numbers = tmp_path / "a.safetensors", np.array([1, -2, 0.5])
    for kind, dtype in (("F16", "<f2"), ("F32", "<f4"), ("F64", "<f8")):
        path.write_bytes(by_hand(kind, numbers.astype(dtype).tobytes()))
        assert read_word_vectors(path).vectors.tolist() == [[1, -2, 0.5]]
    path.write_bytes(by_hand("BF16", bytes(6)))
    assert "a.safetensors: vectors " in refused(path)
    assert "write them as float32" in refused(path)


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"")
    told = ".safetensors needs the library safetensors: pip install 'jaxseq[vectors]'"
    assert refused(path) == told
    with pytest.raises(InputError) as caught:
        next(safetensors_file(WORDS, VECTORS))
    assert str(caught.value) == told
