"""Made-up pairs: their answers, their splits, and that each follows from its number alone."""

import pytest

from jaxseq.data import make_up
from jaxseq.errors import InputError

ANSWERS = {
    "reverse": lambda source: "".join(reversed(source)),
    "sort": lambda source: "".join(sorted(source)),
    "add": lambda source: str(sum(map(int, source.split("+")))),
}


@pytest.mark.parametrize("exercise", ANSWERS)
def test_every_target_is_the_answer_and_no_source_is_in_two_splits(exercise):
    splits = {name: make_up(exercise, name, 300, seed=3, most=4) for name in ("train", "validation", "test")}
    for pairs in splits.values():
        assert pairs.targets == [ANSWERS[exercise](source) for source in pairs.sources]
        assert len(pairs.sources) == 300
    one, two, three = (set(pairs.sources) for pairs in splits.values())
    assert len(one | two | three) == len(one) + len(two) + len(three)
    assert len(one) > 150


def test_a_pair_follows_from_the_seed_its_split_and_its_number():
    few, many = (make_up("sort", "test", count, seed=1) for count in (5, 50))
    assert few.sources == many.sources[:5]
    assert make_up("sort", "test", 50, seed=1) == many
    assert make_up("sort", "test", 50, seed=2).sources != many.sources


def test_sources_have_the_letters_and_the_lengths_that_were_asked_for():
    sources = make_up("reverse", "train", 2_000, seed=0, least=2, most=5, letters=3).sources
    assert set("".join(sources)) == set("abc")
    assert {len(source) for source in sources} == {2, 3, 4, 5}
    assert all(sum(len(source) == length for source in sources) > 300 for length in (2, 3, 4, 5))
    numbers = [
        number for source in make_up("add", "train", 500, seed=0, most=3).sources for number in source.split("+")
    ]
    assert {len(number) for number in numbers} == {1, 2, 3}
    assert all(str(int(number)) == number for number in numbers)


def test_what_cannot_be_made_up_is_refused_in_a_line():
    with pytest.raises(
        InputError, match=r"none is for validation: there are too few different ones, raise --data\.most"
    ):
        make_up("reverse", "validation", 1, seed=0, most=1, letters=2)
    with pytest.raises(InputError, match="the exercise is 'multiply': choose reverse, sort, add"):
        make_up("multiply", "train", 1, seed=0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="the split is 'dev': choose train, validation, test"):
        make_up("add", "dev", 1, seed=0)
