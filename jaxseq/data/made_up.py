"""Made-up pairs: exercises whose every answer is known."""

import random
from collections.abc import Callable
from typing import Literal

from jaxseq.data.corpus import SPLITS
from jaxseq.data.pair_splits import place_of
from jaxseq.data.pairs import Pairs
from jaxseq.errors import InputError

Exercise = Literal["reverse", "sort", "add"]
_SHARES = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
"""From where to where the places of a split's sources lie."""
_TRIES = 1_000
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def make_up(
    exercise: Exercise, split: str, count: int, *, seed: int, least: int = 1, most: int = 10, letters: int = 26
) -> Pairs:
    """`count` pairs of a split; each follows from the arguments and its number alone.

    "reverse" and "sort" have sources of `least` to `most` letters, the first `letters` of the alphabet, and as targets
    these from the last to the first, or in the order of the alphabet; "add" has two numbers of so many digits, and
    their sum. Every length is drawn as often as another. To which split a source belongs follows from a hash of it,
    so that none is in two; within a split it may come up again.

    Raises:
        InputError: there is no such exercise, or no source of this split is found among so few that are possible.

    >>> make_up("add", "test", 1, seed=0, most=2)[:2]
    (['3+24'], ['27'])
    """
    exercises: dict[str, Callable[[random.Random], tuple[str, str]]] = {
        "reverse": lambda draw: _turned(_string(draw, least, most, letters)),
        "sort": lambda draw: _sorted(_string(draw, least, most, letters)),
        "add": lambda draw: _sum(_number(draw, least, most), _number(draw, least, most)),
    }
    if exercise not in exercises:
        raise InputError(f"the exercise is {exercise!r}: choose {', '.join(exercises)}")
    if split not in SPLITS:
        raise InputError(f"the split is {split!r}: choose {', '.join(SPLITS)}")
    low, high = _SHARES[split]
    pairs = []
    for number in range(count):
        draw = random.Random(f"{exercise} {seed} {split} {number}")
        for _ in range(_TRIES):
            source, target = exercises[exercise](draw)
            if low <= place_of(source) < high:
                pairs.append((source, target))
                break
        else:
            raise InputError(
                f"of {_TRIES:,} sources that were made up none is for {split}: there are too few different ones, raise "
                "--data.most or --data.letters"
            )
    return Pairs([source for source, _ in pairs], [target for _, target in pairs])


def _below(draw: random.Random, count: int) -> int:
    """0 to `count` - 1; of the methods of `Random`, `random` alone is promised never to change."""
    return int(draw.random() * count)


def _string(draw: random.Random, least: int, most: int, letters: int) -> str:
    return "".join(_ALPHABET[_below(draw, letters)] for _ in range(least + _below(draw, most - least + 1)))


def _number(draw: random.Random, least: int, most: int) -> str:
    """Of any number of digits; the first of several is no 0."""
    digits = least + _below(draw, most - least + 1)
    first = _below(draw, 10) if digits == 1 else 1 + _below(draw, 9)
    return "".join(map(str, [first, *(_below(draw, 10) for _ in range(digits - 1))]))


def _turned(text: str) -> tuple[str, str]:
    return text, text[::-1]


def _sorted(text: str) -> tuple[str, str]:
    return text, "".join(sorted(text))


def _sum(one: str, other: str) -> tuple[str, str]:
    return f"{one}+{other}", str(int(one) + int(other))
