"""What captions of scenes say, held against a reading of them that knows the grammar the other way round."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data.scene_captions import LANGUAGES, RELATIONS, describe, naming_order, relations_of

ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
KOREAN = list("영일이삼사오육칠팔구")
NAME = {"english": rf"(an? )(small )?({'|'.join(ENGLISH)})", "korean": rf"(작은 )?([{''.join(KOREAN)}])"}
RELATION = {"위": 0, "아래": 1, "왼쪽": 2, "오른쪽": 3}


def understood(caption, language):
    """The digits as (label, small) in the order of naming in English, and the relations of the first to the others."""
    if language == "english":
        parts = re.split(rf" (?:and )?({'|'.join(RELATIONS)}) ", caption)
        names, relations = parts[::2], [RELATIONS.index(part) for part in parts[1::2]]
        found = [re.fullmatch(NAME[language], name).groups() for name in names]
        assert all((article == "an ") == (not small and label == "eight") for article, small, label in found)
        digits = [(ENGLISH.index(label), small is not None) for _, small, label in found]
        return digits, relations
    *others, first = re.split(rf" ({'|'.join(RELATION)})(와|과|에) ", caption)
    for at, (place, particle) in enumerate(zip(others[1::3], others[2::3], strict=True), 1):
        has_final = (ord(place[-1]) - 0xAC00) % 28 != 0
        assert particle == ("에" if 3 * at == len(others) else "과" if has_final else "와")
    found = [re.fullmatch(NAME[language], name).groups() for name in (first, *others[::3])]
    return [(KOREAN.index(label), small is not None) for small, label in found], [RELATION[p] for p in others[1::3]]


@pytest.mark.parametrize("language", LANGUAGES)
@given(data=st.data())
def test_a_caption_is_understood_as_it_was_meant(language, data):
    k = data.draw(st.integers(1, 3))
    digits = data.draw(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=k, max_size=k))
    relations = data.draw(st.lists(st.integers(0, 3), min_size=k - 1, max_size=k - 1))
    words, named = describe(*zip(*digits, strict=True), relations, language=language)
    assert understood(" ".join(words), language) == (digits, relations)
    assert len(words) == len(named)
    numbers = ENGLISH if language == "english" else KOREAN
    for digit, (label, small) in enumerate(digits):
        said = [word for word, names in zip(words, named, strict=True) if names == digit]
        assert said == [*[{"english": "small", "korean": "작은"}[language]] * small, numbers[label]]
    others = {word for word, names in zip(words, named, strict=True) if names == -1}
    assert not others & {*numbers, "small", "작은"}


@pytest.mark.parametrize(
    ("digits", "relations", "english", "korean"),
    [
        ([(7, False), (3, True)], [0], "a seven above a small three", "작은 삼 위에 칠"),
        ([(8, True)], [], "a small eight", "작은 팔"),
        ([(8, False), (1, False)], [1], "an eight below a one", "일 아래에 팔"),
        ([(0, False), (6, True)], [2], "a zero left of a small six", "작은 육 왼쪽에 영"),
        (
            [(5, False), (2, False), (9, True)],
            [3, 0],
            "a five right of a two and above a small nine",
            "이 오른쪽과 작은 구 위에 오",
        ),
        (
            [(5, False), (2, False), (9, True)],
            [0, 2],
            "a five above a two and left of a small nine",
            "이 위와 작은 구 왼쪽에 오",
        ),
    ],
)
def test_captions_by_example(digits, relations, english, korean):
    labels, small = zip(*digits, strict=True)
    assert " ".join(describe(labels, small, relations, language="english")[0]) == english
    assert " ".join(describe(labels, small, relations, language="korean")[0]) == korean


boxes = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 20)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(boxes, boxes)
def test_a_relation_is_that_of_centres_where_one_ends_before_the_other(one, other):
    dy, dx = ((other[at] + other[at + 2] - one[at] - one[at + 2]) / 2 for at in (0, 1))
    wanted = -1
    if abs(dy) >= abs(dx) + 6:
        wanted = 0 if dy > 0 and one[2] <= other[0] else 1 if dy < 0 and other[2] <= one[0] else -1
    elif abs(dx) >= abs(dy) + 6:
        wanted = 2 if dx > 0 and one[3] <= other[1] else 3 if dx < 0 and other[3] <= one[1] else -1
    assert relations_of(np.array([[one, other]])).tolist() == [[wanted]]
    turned = {-1: -1, 0: 1, 1: 0, 2: 3, 3: 2}[wanted]
    assert relations_of(np.array([[other, one]])).tolist() == [[turned]]


@given(boxes, boxes)
def test_of_two_alike_the_upper_or_left_one_is_named_first(one, other):
    pair = np.array([[one, other]])
    for small in (False, True):
        order = naming_order(pair, np.array([[small, small]]))
        relation = relations_of(np.take_along_axis(pair, order[..., None], axis=1))[0, 0]
        assert relation in (-1, 0, 2)
    assert naming_order(pair, np.array([[True, False]])).tolist() == [[1, 0]]
    assert naming_order(pair, np.array([[False, True]])).tolist() == [[0, 1]]
