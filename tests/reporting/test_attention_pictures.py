"""Pictures of attention and of positions: whatever the words are, with the weights where they belong."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from jaxseq.errors import InputError
from jaxseq.reporting.attention_pictures import attention_picture, is_attention_picture
from jaxseq.reporting.position_pictures import is_positions_picture, positions_picture

SOURCE, TARGET = ["나는", "$x_{ in $ and \\frac", "犬", "", "two\nlines\x1b[2J"], ["W" * 400, "a", "not \udcff UTF-8"]
WEIGHTS = np.random.default_rng(0).dirichlet(np.ones(5), size=(3, 3))


@pytest.mark.parametrize("weights", [WEIGHTS[0], WEIGHTS[:1], WEIGHTS, WEIGHTS[0].astype(np.float16)])
def test_a_picture_is_drawn_of_any_words_and_is_the_same_each_time(weights):
    given = {"source": SOURCE, "target": TARGET, "name": "out.png"}
    png = attention_picture(weights, **given)  # warnings are errors here
    assert is_attention_picture(png[:1000])
    assert not is_positions_picture(png[:1000])
    assert attention_picture(weights, **given) == png
    assert max(imread(io.BytesIO(png)).shape) < 2500


@pytest.mark.parametrize(("s", "t"), [(1, 1), (200, 3), (3, 200)])
def test_it_is_of_a_size_that_can_be_looked_at(s, t):
    png = attention_picture(np.full((t, s), 1 / s), source=["word"] * s, target=["word"] * t, name="out.png")
    assert max(imread(io.BytesIO(png)).shape) < 2500


def dark_cell(png):
    """Where the dark pixels lie in a picture, (down, across) from 0 to 1 among all bluish ones."""
    pixels = imread(io.BytesIO(png))[:, :, :3]
    dark = (pixels[..., 2] > pixels[..., 0] + 0.3) & (pixels[..., 2] < 0.6)
    return [axis.mean() / size for axis, size in zip(np.nonzero(dark), dark.shape, strict=True)]


def test_a_row_is_a_word_of_the_target_from_above_and_a_column_one_of_the_source():
    """Of one weight of 1 that moves, the dark place moves as it."""
    places = {}
    for row, column in ((0, 0), (0, 7), (7, 0)):
        weights = np.zeros((8, 8))
        weights[row, column] = 1
        words = ["w"] * 8
        places[row, column] = dark_cell(attention_picture(weights, source=words, target=words, name="out.png"))
    assert places[7, 0][0] - places[0, 0][0] > 0.2
    assert places[0, 7][1] - places[0, 0][1] > 0.2
    assert places[0, 7][0] == pytest.approx(places[0, 0][0], abs=0.05)
    assert places[7, 0][1] == pytest.approx(places[0, 0][1], abs=0.05)


@pytest.mark.parametrize(
    ("weights", "words", "told"),
    [
        (np.ones((3, 2)), (3, 2), r"shape \[1, 3, 2\] for 2 words of a target and 3"),
        (np.ones(3), (3, 1), r"give \[t, s\]"),
        (np.zeros((0, 3)), (3, 0), "for 0 words of a target"),
        (np.full((1, 1), np.nan), (1, 1), "not between 0 and 1"),
        (np.full((1, 1), 2.0), (1, 1), "not between 0 and 1"),
        (np.ones((1, 201)), (201, 1), "201 words in a row"),
    ],
)
def test_weights_that_cannot_be_drawn_are_one_line(weights, words, told):
    source, target = (["w"] * count for count in words)
    with pytest.raises(InputError, match=told):
        attention_picture(weights, source=source, target=target, name="out.png")


def test_heads_have_titles_of_their_own_or_as_many_as_are_given():
    given = {"source": SOURCE, "target": TARGET, "name": "out.png"}
    assert attention_picture(WEIGHTS, **given, titles=["a", "b", "c"]) != attention_picture(WEIGHTS, **given)
    with pytest.raises(InputError, match="2 titles for 3 heads"):
        attention_picture(WEIGHTS, **given, titles=["a", "b"])


def test_positions_are_drawn_with_features_marked_or_none():
    codes = np.sin(np.arange(20)[:, None] / (1 + np.arange(6)))
    plain, marked, other = (positions_picture(codes, marked=m, name="out.png") for m in ((), (1, 4), (1, 5)))
    assert all(is_positions_picture(png[:1000]) for png in (plain, marked, other))
    assert len({plain, marked, other}) == 3
    assert positions_picture(codes, marked=(1, 4), name="out.png") == marked
