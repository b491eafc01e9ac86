"""Splits of pairs that share no sentence, references, and what tells pairs from others."""

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data import (
    Pairs,
    PairSource,
    pairs_fingerprint,
    read_pairs,
    repeated_sources,
    split_pairs,
    with_references,
)
from jaxseq.errors import InputError

SHARES = (0.6, 0.2, 0.2)
SENTENCES = st.text("abA ", min_size=1, max_size=2).filter(str.strip)


def same(text):
    return unicodedata.normalize("NFC", " ".join(text.casefold().split()))


def zipped(pairs):
    return list(zip(pairs.sources, pairs.targets, strict=True))


def pairs_of(rows):
    return Pairs([source for source, _ in rows], [target for _, target in rows])


def distinct_pairs(count):
    return pairs_of([(f"Satz {number}", f"sentence {number}") for number in range(count)])


def sentences_in_several(parts):
    """How many sources, and how many targets, are in more splits than one."""
    found = []
    for at in (0, 1):
        distinct = [{same(pair[at]) for pair in zipped(part)} for part in parts.values()]
        found.append(sum(map(len, distinct)) - len(set().union(*distinct)))
    return found


@given(rows=st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=12))
def test_no_sentence_is_in_two_splits_and_no_pair_is_lost(rows):
    parts = split_pairs(pairs_of([*rows, *zipped(distinct_pairs(60))]), SHARES)
    assert sentences_in_several(parts) == [0, 0]
    together = [pair for part in parts.values() for pair in zipped(part)]
    assert Counter(together) == Counter([*rows, *zipped(distinct_pairs(60))])
    assert [repeated_sources(parts[name], parts["train"]) for name in ("validation", "test")] == [0, 0]


@given(rows=st.permutations(zipped(distinct_pairs(40))), turned=st.booleans())
def test_the_split_of_a_pair_follows_from_its_sentences_alone(rows, turned):
    expected = {pair: name for name, part in split_pairs(distinct_pairs(80), SHARES).items() for pair in zipped(part)}
    asked = [(target, source) if turned else (source, target) for source, target in rows]
    for name, part in split_pairs(pairs_of([*asked, *zipped(distinct_pairs(80))[40:]]), SHARES).items():
        assert {expected.get((a, b)) or expected[b, a] for a, b in zipped(part)} == {name}


def test_pairs_stay_in_order_and_shares_are_met():
    pairs = distinct_pairs(10_000)
    parts = split_pairs(pairs, (0.8, 0.15, 0.05))
    assert list(parts) == ["train", "validation", "test"]
    for part, share in zip(parts.values(), (0.8, 0.15, 0.05), strict=True):
        numbers = [int(source[5:]) for source in part.sources]
        assert numbers == sorted(numbers)
        assert abs(len(numbers) - 10_000 * share) < 4 * (10_000 * share * (1 - share)) ** 0.5  # four deviations
    assert list(split_pairs(pairs, (0.9, 0.0, 0.1))) == ["train", "test"]
    assert zipped(split_pairs(pairs, (1.0, 0.0, 0.0))["train"]) == zipped(pairs)


def test_case_white_space_and_unicode_form_make_no_other_sentence():
    rows = [("Über  uns", "About us"), ("u\u0308ber uns", "us"), ("x", "ABOUT US"), ("x ", "y")]
    parts = split_pairs(pairs_of([*rows, *zipped(distinct_pairs(60))]), SHARES)
    assert sorted(sum(pair in rows for pair in zipped(part)) for part in parts.values()) == [0, 0, 4]


def test_sources_of_another_file_that_are_trained_on_are_counted_by_pair():
    trained = pairs_of([("A dog.", "Ein Hund."), ("Über uns", "About us"), ("Run!", "Lauf!")])
    measured = pairs_of(
        [("a  DOG.", "x"), ("u\u0308ber uns", "y"), ("Lauf!", "Run!"), ("A dog.", "z"), ("A cat.", "q")]
    )
    assert repeated_sources(measured, trained) == 3


def test_a_split_without_a_pair_is_refused():
    with pytest.raises(InputError) as caught:
        split_pairs(pairs_of([("a", "b"), ("a", "c")]), (0.5, 0.5, 0.0))
    assert "split has no pair, data.split is (0.5, 0.5, 0.0) of 1 groups of pairs" in str(caught.value)


def test_the_references_of_a_source_are_all_its_targets_each_once():
    pairs = pairs_of([("Hi.", "안녕."), ("Go.", "가."), ("Hi.", "안녕하세요."), ("Hi.", "안녕.")])
    assert with_references(pairs) == [("Hi.", ("안녕.", "안녕하세요.")), ("Go.", ("가.",))]


def test_a_fingerprint_changes_with_sentences_order_and_split_alone():
    def of(rows, name="train"):
        return pairs_fingerprint({name: pairs_of(rows)})

    first = of([("ab", "c"), ("d", "e")])
    assert first == pairs_fingerprint({"train": Pairs(["ab", "d"], ["c", "e"], "a remark")})
    others = [
        of([("a", "bc"), ("d", "e")]),
        of([("d", "e"), ("ab", "c")]),
        of([("ab", "c"), ("d", "e")], "test"),
        of([("ab", "c")]),
        of([("c", "ab"), ("e", "d")]),
    ]
    assert len({first, *others}) == 1 + len(others)


def test_no_sentence_of_tatoeba_is_in_two_splits_in_either_direction(data_folder):
    korean = read_pairs(PairSource(str(data_folder / "tatoeba" / "kor.txt")))
    parts = split_pairs(korean, (0.9, 0.05, 0.05))
    # The hash is fixed, so these never change: 5,749 pairs, in 4,954 groups.
    assert {name: len(part.sources) for name, part in parts.items()} == {"train": 5_220, "validation": 247, "test": 282}
    assert sentences_in_several(parts) == [0, 0]
    assert sum(len(with_references(part)) for part in parts.values()) == 5_130
    turned = split_pairs(Pairs(korean.targets, korean.sources), (0.9, 0.05, 0.05))
    assert {name: (part.targets, part.sources) for name, part in turned.items()} == {
        name: (part.sources, part.targets) for name, part in parts.items()
    }
