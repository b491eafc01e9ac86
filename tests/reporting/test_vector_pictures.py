"""Vectors in two dimensions, against scikit-learn, and their pictures of whatever words."""

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from jaxseq.errors import InputError
from jaxseq.reporting.pictures import is_picture
from jaxseq.reporting.projections import principal_components, project
from jaxseq.reporting.vector_pictures import words_picture

VECTORS = np.random.default_rng(0).normal(size=(30, 6)) * [3, 1, 2, 1, 1, 1] + 5


def test_principal_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    oracle = decomposition.PCA(2)
    expected = oracle.fit_transform(VECTORS)
    points, shares = principal_components(VECTORS)
    np.testing.assert_allclose(np.abs(points), np.abs(expected), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(shares, oracle.explained_variance_ratio_)
    assert project(VECTORS).axes[0] == f"first principal component, {shares[0]:.1%} of the variance"


@given(st.integers(0, 5), st.booleans())
def test_their_signs_do_not_depend_on_the_order_of_the_words(seed, mirrored):
    order = np.random.default_rng(seed).permutation(30)
    points, _ = principal_components(VECTORS[order])
    np.testing.assert_allclose(points, principal_components(VECTORS)[0][order], atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (4, 1), (3, 2), (1, 1)])
def test_what_there_is_none_of_is_zero(shape):
    vectors = np.arange(shape[0] * shape[1], dtype=float).reshape(shape) ** 2
    points, shares = principal_components(vectors)
    assert points.shape == (shape[0], 2)
    assert shares.sum() == pytest.approx(1 if shape[0] > 1 else 0)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.testing.assert_allclose(distances, np.linalg.norm(vectors[:, None] - vectors[None], axis=-1), atol=1e-6)


def test_tsne_keeps_neighbours_together_and_is_the_same_each_time():
    pytest.importorskip("sklearn")
    centres = np.repeat(np.eye(3) * 20, 10, axis=0)
    vectors = centres + np.random.default_rng(0).normal(size=(30, 3))
    points = project(vectors, method="tsne").points
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.eye(30) * 1e9
    assert (distances.argmin(axis=1) // 10 == np.arange(30) // 10).all()
    np.testing.assert_array_equal(points, project(vectors, method="tsne").points)


def test_tsne_of_too_few_words_and_without_the_library_is_one_line(monkeypatch):
    pytest.importorskip("sklearn")
    with pytest.raises(InputError, match="t-SNE needs 4 words or more, there are 3"):
        project(VECTORS[:3], method="tsne")
    assert project(VECTORS[:4], method="tsne").points.shape == (4, 2)
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(InputError, match=r"scikit-learn: pip install 'jaxseq\[vectors\]'"):
        project(VECTORS, method="tsne")


HOSTILE = ["$x_{ in $ and \\frac", "two\nlines\x1b[2J", "한국어", "not \udcff UTF-8", "", " ", "W" * 4000]


@pytest.mark.parametrize("words", [["one"], HOSTILE, [f"w{i}" for i in range(300)]])
def test_a_picture_is_drawn_of_any_words(words):
    vectors = np.random.default_rng(1).normal(size=(len(words), 5))
    groups = [None if i % 2 else i for i in range(len(words))]
    png = words_picture(project(vectors), words, groups, name="words.png", title=HOSTILE[1])  # warnings are errors here
    assert is_picture(png[:1000])
    assert max(imread(io.BytesIO(png)).shape) < 1600


def labels_of(monkeypatch, points, words):
    """The labels that stay, with their boxes."""
    from matplotlib.axes import Axes

    made, real = [], Axes.annotate

    def annotate(self, *arguments, **options):
        made.append(real(self, *arguments, **options))
        return made[-1]

    monkeypatch.setattr(Axes, "annotate", annotate)
    projection = project(np.zeros((len(words), 2)))._replace(points=points)
    words_picture(projection, words, [None] * len(words), name="words.png")
    return {label.get_text(): label.get_window_extent() for label in made if label.figure is not None}


def test_labels_lie_on_none_of_the_others_and_the_first_words_have_theirs(monkeypatch):
    points = np.random.default_rng(2).normal(size=(120, 2))
    words = [f"word{i:03}" for i in range(120)]
    found = labels_of(monkeypatch, points, words)
    assert words[0] in found
    assert 40 < len(found) <= 120
    boxes = list(found.values())
    assert not any(box.overlaps(other) for at, box in enumerate(boxes) for other in boxes[:at])


def test_words_at_one_point_have_labels_on_its_four_sides(monkeypatch):
    found = labels_of(monkeypatch, np.zeros((6, 2)), list("abcdef"))
    assert list(found) == list("abcd")
