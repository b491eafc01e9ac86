"""What captions of scenes of digits say: a pure function of which digits there are, their sizes and their boxes.

The larger digit is named first, and of two alike the upper or the left one: "a seven above a small three", in Korean
"작은 삼 위에 칠" (small three, above it, seven).
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

SceneLanguage = Literal["english", "korean"]
LANGUAGES: tuple[SceneLanguage, ...] = get_args(SceneLanguage)

RELATIONS = ("above", "below", "left of", "right of")
"""Of the digit named first to another; their places here are their numbers."""
_MARGIN = 6
"""Pixels by which the centres of two digits differ more along one axis than along the other, at the least."""
_ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_KOREAN = ("영", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구")
_PLACES = ("위", "아래", "왼쪽", "오른쪽")
_NOBODY = -1

Words = tuple[list[str], list[int]]
"""Words, and which digit each names."""


def naming_order(boxes: np.ndarray, small: np.ndarray) -> NDArray[np.int64]:
    """The digits of scenes in the order in which they are named: [n, k] of boxes [n, k, 4] and small [n, k].

    Larger ones first; of those alike that whose centre has the smaller row and column together, which of two that are
    clearly above or beside each other is the upper or the left one.
    """
    return np.lexsort((boxes.sum(axis=-1), small))


def relations_of(boxes: np.ndarray) -> NDArray[np.int64]:
    """The number in `RELATIONS` of the first digit's to each other one: [n, k-1] of boxes [n, k, 4]; -1 where none is
    clear.

    One is above another that ends before it begins, its centre further away upwards than sideways by 6 pixels or more.
    """
    first, others = boxes[:, :1], boxes[:, 1:]
    centres = boxes[..., :2] + boxes[..., 2:]  # twice, and so whole numbers
    down, right = np.moveaxis(centres[:, 1:] - centres[:, :1], -1, 0)
    steep = np.abs(down) - np.abs(right)
    vertical = np.where(down > 0, 0, 1)
    horizontal = np.where(right > 0, 2, 3)
    relation = np.where(steep > 0, vertical, horizontal)
    ends = np.stack(
        [
            first[..., 2] <= others[..., 0],
            others[..., 2] <= first[..., 0],
            first[..., 3] <= others[..., 1],
            others[..., 3] <= first[..., 1],
        ],
        axis=-1,
    )
    is_apart = np.take_along_axis(ends, relation[..., None], axis=-1)[..., 0]
    return np.where(is_apart & (np.abs(steep) >= 2 * _MARGIN), relation, -1)


def describe(
    labels: Sequence[int], small: Sequence[bool], relations: Sequence[int], *, language: SceneLanguage
) -> Words:
    """The words of a caption, and which digit each names: its number and "small" do; -1 for all others.

    Args:
        labels, small: of the k digits in the order of naming.
        relations: of the first to each other one, k - 1 numbers in `RELATIONS`.

    >>> describe([7, 3], [False, True], [0], language="english")
    (['a', 'seven', 'above', 'a', 'small', 'three'], [-1, 0, -1, -1, 1, 1])
    >>> describe([7, 3], [False, True], [0], language="korean")
    (['작은', '삼', '위에', '칠'], [1, 1, -1, 0])
    >>> " ".join(describe([8, 1, 2], [False] * 3, [3, 0], language="english")[0])
    'an eight right of a one and above a two'
    >>> " ".join(describe([8, 1, 2], [False] * 3, [3, 0], language="korean")[0])
    '일 오른쪽과 이 위에 팔'
    """
    digits = list(enumerate(zip(labels, small, strict=True)))
    join = _in_english if language == "english" else _in_korean
    pairs = join(digits, relations)
    return [word for word, _ in pairs], [digit for _, digit in pairs]


_Digits = Sequence[tuple[int, tuple[int, bool]]]


def _in_english(digits: _Digits, relations: Sequence[int]) -> list[tuple[str, int]]:
    def name(digit: int, label: int, is_small: bool) -> list[tuple[str, int]]:
        words = ["small", _ENGLISH[label]] if is_small else [_ENGLISH[label]]
        article = "an" if words[0][0] in "aeiou" and words[0] != "one" else "a"
        return [(article, _NOBODY), *((word, digit) for word in words)]

    (first, about), *others = digits
    said = name(first, *about)
    for number, ((digit, about), relation) in enumerate(zip(others, relations, strict=True)):
        between = ["and"] * (number > 0) + RELATIONS[relation].split()
        said += [*((word, _NOBODY) for word in between), *name(digit, *about)]
    return said


def _in_korean(digits: _Digits, relations: Sequence[int]) -> list[tuple[str, int]]:
    def name(digit: int, label: int, is_small: bool) -> list[tuple[str, int]]:
        return [(word, digit) for word in (["작은", _KOREAN[label]] if is_small else [_KOREAN[label]])]

    (first, about), *others = digits
    said = []
    for number, ((digit, about_other), relation) in enumerate(zip(others, relations, strict=True), 1):
        place = _PLACES[relation]
        particle = "에" if number == len(others) else "과" if place.endswith("쪽") else "와"
        said += [*name(digit, *about_other), (place + particle, _NOBODY)]
    return [*said, *name(first, *about)]
