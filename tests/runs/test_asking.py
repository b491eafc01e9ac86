"""What vectors are asked for: neighbours and analogies as gensim has them, and what is shown of them."""

import re
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from real_vectors import glove, in_gensim

from jaxseq.errors import InputError
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.runs import projecting
from jaxseq.runs.asking import analogy, nearest, text_vector
from jaxseq.runs.projecting import draw_words, placed, write_projector

SMALL = WordVectors(
    ("man", "king", "woman", "queen", "zero"),
    np.array([[1, 0, 0], [1, 0, 2], [0, 1, 0], [0, 1, 2], [0, 0, 0]], np.float32),
    "small.txt",
)


@pytest.fixture(scope="module")
def real(data_folder):
    words, vectors = glove(data_folder, 5000)
    return WordVectors(words, vectors, "glove.txt"), in_gensim(words, vectors)


def assert_same(found, expected):
    assert [neighbour.word for neighbour in found] == [word for word, _ in expected]
    np.testing.assert_allclose([found.value for found in found], [value for _, value in expected], atol=1e-5)


@pytest.mark.parametrize("words", [["king"], ["new", "york"]])
def test_neighbours_are_those_of_gensim(real, words):
    found, unknown = nearest(real[0], words, count=10)
    assert_same(found, real[1].most_similar(positive=words, topn=10))
    assert unknown == ()


def test_completions_are_those_of_gensim(real):
    found = analogy(real[0], "man", "king", "woman", count=5)
    assert_same(found, real[1].most_similar(positive=["king", "woman"], negative=["man"], topn=5))
    assert found[0].word == "queen"


@pytest.mark.parametrize(("measure", "order"), [("euclidean", 2), ("manhattan", 1)])
def test_by_a_distance_they_are_the_least_far(real, measure, order):
    vectors = real[0]
    found, _ = nearest(vectors, ["king"], count=4, measure=measure)
    distances = np.linalg.norm(vectors.vectors - vectors.vectors[vectors.words.index("king")], ord=order, axis=1)
    rows = np.argsort(distances)[1:5]
    assert_same(found, [(vectors.words[row], distances[row]) for row in rows])


def test_a_text_of_unknown_words_only_has_a_zero_vector_and_is_flagged():
    """gensim#515: it was random."""
    text = text_vector(SMALL, ["no", "such"])
    assert text.vector.tolist() == [0, 0, 0]
    assert (text.rows, text.unknown) == ((), ("no", "such"))
    assert text_vector(SMALL, []).vector.tolist() == [0, 0, 0]
    mixed = text_vector(SMALL, ["man", "no", "woman"])
    assert (mixed.vector.tolist(), mixed.rows, mixed.unknown) == ([0.5, 0.5, 0], (0, 2), ("no",))
    found, unknown = nearest(SMALL, ["man", "no", "woman"], count=1)
    assert (found[0].word, unknown) == ("king", ("no",))
    with pytest.raises(InputError, match=r"'no' is none of the 5 words of small\.txt"):
        nearest(SMALL, ["no", "such"], count=1)


def test_what_cannot_be_answered_is_one_line():
    for ask, told in (
        (lambda: nearest(SMALL, ["zero"], count=1), "the vector of zero in small.txt is zero, and near to nothing"),
        (lambda: nearest(SMALL, ["kign"], count=1), "did you mean 'king'?"),
        (lambda: nearest(SMALL, ["QUEEN"], count=1), "did you mean 'queen'?"),
        (lambda: nearest(SMALL, ["xylophone"], count=1), "of small.txt: ask for another word"),
        (lambda: analogy(SMALL, "man", "kings", "woman", count=1), "'kings' is none of the 5 words"),
        (lambda: analogy(SMALL, "man", "zero", "man", count=1), "the vector of man zero man in small.txt is zero"),
        (lambda: placed(SMALL, ["man", "boy"]), "'boy' is none of the 5 words"),
    ):
        with pytest.raises(InputError) as caught:
            ask()
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)


def test_without_the_library_of_spellings_the_word_is_told_all_the_same(monkeypatch):
    for name in ("rapidfuzz", "rapidfuzz.distance", "rapidfuzz.process"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"'kign' is none of the 5 words of small\.txt: ask for another word"):
        nearest(SMALL, ["kign"], count=1)


def test_words_their_neighbours_and_the_first_of_the_vocabulary_are_shown_once_each():
    shown = placed(SMALL, ["queen", "man"], neighbours=1, most_frequent=3)
    assert [SMALL.words[row] for row in shown.rows] == ["queen", "man", "king", "woman"]
    assert shown.groups == [0, 1, 0, None]
    assert placed(SMALL, [], most_frequent=99).rows == [0, 1, 2, 3, 4]


def test_the_picture_and_the_folder_are_there_when_they_are_whole(tmp_path, monkeypatch):
    shown = placed(SMALL, ["queen"], neighbours=3)
    draw_words(SMALL, shown, tmp_path / "a.png")
    assert imread(tmp_path / "a.png").ndim == 3
    write_projector(SMALL, shown, tmp_path / "folder")
    assert (tmp_path / "folder/metadata.tsv").read_text() == "queen\nking\nwoman\nman\n"
    before = sorted(tmp_path.rglob("*"))

    def files(words, vectors):
        yield from {"vectors.tsv": iter([b"1\n"]), "metadata.tsv": damaged()}.items()

    def damaged():
        yield b"a"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(projecting, "projector_files", lambda *arguments: dict(files(*arguments)))
    with pytest.raises(InputError, match=re.escape(f"cannot write {tmp_path / 'other'}: the disk is full")):
        write_projector(SMALL, shown, tmp_path / "other")
    assert sorted(tmp_path.rglob("*")) == before
