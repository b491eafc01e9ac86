"""Scores of captions by language, and of attention on made scenes, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.captions import Captioned
from jaxseq.data.digit_scenes import Scenes
from jaxseq.metrics.translation import translation_scores
from jaxseq.nn.picture_decoder import Grid
from jaxseq.tasks.captioning.caption_scores import CAPTION_METRICS, asked_of, caption_scores, metrics_of
from jaxseq.tasks.captioning.scene_attention import cells_of, measure_attention

CAPTIONS = [
    [("english", "a dog runs here"), ("korean", "개가 달린다"), ("english", "one dog runs here")],
    [("english", "a big red cat sleeps")],
    [("korean", "개가 달린다"), ("english", "a dog runs here")],
]
CAPTIONED = Captioned(["x", "y", "z"], np.zeros((3, 2, 2, 1), np.uint8), CAPTIONS)
ASKED = asked_of(CAPTIONED)
WRITTEN = ["one dog runs here", "개가 달린다", "a dog runs here", "고양이", "a dog runs here"]


def test_a_caption_is_asked_for_in_each_language_that_a_picture_has_with_all_its_references():
    assert [tuple(one) for one in ASKED] == [
        (0, "english", ("a dog runs here", "one dog runs here")),
        (0, "korean", ("개가 달린다",)),
        (1, "english", ("a big red cat sleeps",)),
        (2, "korean", ("개가 달린다",)),
        (2, "english", ("a dog runs here",)),
    ]


def test_each_language_has_the_scores_of_its_captions_and_all_together_the_shares_of_all():
    scores = caption_scores(ASKED, WRITTEN, tokenize="by language")
    english = translation_scores(
        hypotheses=[WRITTEN[0], WRITTEN[2], WRITTEN[4]],
        references=[ASKED[0].references, ASKED[2].references, ASKED[4].references],
    )
    korean = translation_scores(
        hypotheses=WRITTEN[1:4:2], references=[ASKED[1].references, ASKED[3].references], tokenize="char"
    )
    assert scores.by_language == {"english": english, "korean": korean}
    assert scores.exact == pytest.approx(100 * 3 / 5)
    assert scores.right == pytest.approx(100 * 1 / 3)
    assert scores.distinct == {"english": (2, 3), "korean": (2, 1)}
    summary = scores.summary()
    assert summary["chrf"] == (english.chrf.value + korean.chrf.value) / 2
    assert summary["bleu"] == (english.bleu.value + korean.bleu.value) / 2
    assert summary["distinct"] == 4
    assert summary["exact_korean"] == 50
    names = {metric.name for metric in (*CAPTION_METRICS, *metrics_of(["english", "korean"]))}
    assert names == set(summary)


def test_a_nameless_language_has_no_figures_of_its_own():
    nameless = Captioned(["x"], np.zeros((1, 2, 2, 1), np.uint8), [[("", "a dog runs here")]])
    scores = caption_scores(asked_of(nameless), ["A dog runs here"], tokenize="13a", lowercase=True)
    assert set(scores.summary()) == {metric.name for metric in CAPTION_METRICS}
    assert scores.right == scores.exact == 100
    assert metrics_of([""]) == ()


@given(data=st.data())
def test_the_cells_of_a_digit_are_those_with_their_centre_in_its_box_and_the_one_in_its_middle(data):
    side = data.draw(st.sampled_from([1, 2, 4, 8]))
    rows, columns = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    top, left = data.draw(st.integers(0, rows * side - 1)), data.draw(st.integers(0, columns * side - 1))
    bottom = data.draw(st.integers(top + 1, rows * side))
    right = data.draw(st.integers(left + 1, columns * side))
    cells = cells_of([top, left, bottom, right], Grid(rows, columns, side))
    for i in range(rows):
        for j in range(columns):
            centre = (i + 0.5) * side, (j + 0.5) * side
            inside = top <= centre[0] < bottom and left <= centre[1] < right
            middle = (
                i * side <= (top + bottom) / 2 < (i + 1) * side or (top + bottom) / 2 == rows * side == (i + 1) * side
            )
            middle &= j * side <= (left + right) / 2 < (j + 1) * side
            assert cells[i, j] == (inside or middle)
    assert cells.any()


def scene():
    """One scene of two digits: a seven in the upper left, a small one below."""
    words = ["a", "seven", "above", "a", "small", "one"]
    korean = ["작은", "일", "위에", "칠"]
    return Scenes(
        np.zeros((1, 8, 8, 1), np.uint8),
        [[("english", " ".join(words)), ("korean", " ".join(korean))]],
        np.array([[[0, 0, 4, 4], [5, 5, 8, 6]]], np.int32),
        [[[-1, 0, -1, -1, 1, 1], [1, 1, -1, 0]]],
        np.array([[7, 1]], np.int32),
        np.array([[False, True]]),
    )


GRID = Grid(4, 4, 2)


def looking(*places):
    """Maps of words: 0.6 of the weight on a cell, the rest all over."""
    maps = np.full((len(places), 4, 4), 0.4 / 15, np.float32)
    for at, place in enumerate(places):
        maps[at][place] = 0.6
    return maps


def test_attention_is_that_of_numerals_on_the_cells_of_their_digit():
    scenes = scene()
    asked = asked_of(Captioned(["x"], scenes.pictures, scenes.captions))
    written = [text for _, text in scenes.captions[0]]
    # "seven" looks where it should, "one" at the seven; "일" and "칠" too. The other words do not matter.
    maps = [looking((3, 3), (1, 1), (3, 3), (3, 3), (0, 0), (0, 0)), looking((0, 0), (3, 2), (0, 0), (0, 1))]
    found = measure_attention(scenes, asked, written, maps, GRID)
    # Four cells are in the box of the seven; of the narrow one those in rows 2 and 3 of column 2.
    assert cells_of(scenes.boxes[0, 0], GRID).sum() == 4
    assert np.argwhere(cells_of(scenes.boxes[0, 1], GRID)).tolist() == [[2, 2], [3, 2]]
    rest = 0.4 / 15
    masses = [0.6 + 3 * rest, 2 * rest, 0.6 + rest, 0.6 + 3 * rest]
    assert found.mass == pytest.approx(100 * np.mean(masses), rel=1e-5)
    assert found.hits == pytest.approx(100 * 3 / 4)


def test_numerals_that_are_not_the_right_ones_have_looked_at_nothing_right():
    scenes = scene()
    asked = asked_of(Captioned(["x"], scenes.pictures, scenes.captions))
    maps = [looking((3, 3), (1, 1), (3, 3)), looking((3, 2), (3, 2), (0, 0), (0, 1))]
    found = measure_attention(scenes, asked, ["a seven above", "작은 이 위에 칠"], maps, GRID)
    assert found.hits == pytest.approx(100 * 2 / 4)
    none = [looking(), looking()]
    assert measure_attention(scenes, asked, ["", ""], none, GRID) == (0, 0)
