"""Labelled texts: classes, ids, the part for validation, and what tells them from others."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data import Labelled, class_ids, find_classes, labelled_fingerprint, split_off
from jaxseq.errors import InputError

LABELS = st.lists(st.sampled_from("abcd"), min_size=2, max_size=60)


def examples_of(labels):
    return Labelled([f"text {number}" for number in range(len(labels))], list(labels), "poems.csv")


@given(labels=st.lists(st.text("abc", min_size=1), min_size=1).filter(lambda labels: len(set(labels)) > 1))
def test_ids_are_places_among_the_sorted_labels(labels):
    classes = find_classes(labels)
    assert list(classes) == sorted(set(labels))
    ids = class_ids(examples_of(labels), classes)
    assert [classes[number] for number in ids] == labels
    assert ids.dtype == "int32"


def test_numbers_are_sorted_by_their_value():
    assert find_classes(["10", "9", "-1", "2.5", "9"]) == ("-1", "2.5", "9", "10")
    assert find_classes(["b", "10", "a", "9", "٣", "1e5"]) == ("9", "10", "1e5", "a", "b", "٣")
    assert find_classes(["01", "1", "1.0"]) == ("01", "1", "1.0")


def test_one_class_or_none_cannot_be_trained():
    with pytest.raises(InputError, match="all 2 examples to train on have the label 'pos': give --data"):
        find_classes(["pos", "pos"])
    with pytest.raises(InputError, match="no examples to train on"):
        find_classes([])


def test_a_label_that_training_lacks_is_named_with_its_place():
    examples = examples_of(["neg", "pos", "neutral\n"])
    with pytest.raises(InputError) as caught:
        class_ids(examples, ("neg", "pos"))
    assert str(caught.value) == (
        "example 3 of poems.csv, 'text 2', has the label 'neutral\\\\n', which no example to train on has (those have "
        "neg, pos): correct the label, leave the example out or train with it"
    )
    examples.texts[2] = "two\nlines " + "of a long text " * 9
    with pytest.raises(InputError) as caught:
        class_ids(examples, ("neg", "pos"), part="test")
    begin = "two\\nlines of a long text of a long text "
    assert str(caught.value).startswith(f"example 3 of the test part of poems.csv, '{begin}' ..., has the label")


@given(labels=LABELS, share=st.floats(0.001, 0.999), seed=st.integers(0, 99), stratify=st.booleans())
def test_the_two_parts_are_disjoint_whole_and_of_the_size_that_is_told(labels, share, seed, stratify):
    examples = examples_of(labels)
    rest, part = split_off(examples, share=share, seed=seed, stratify=stratify)
    count = len(labels)
    assert len(part.texts) == min(max(int(share * count + 0.5), 1), count - 1)
    both = sorted([*zip(*rest[:2], strict=True), *zip(*part[:2], strict=True)], key=lambda pair: int(pair[0][5:]))
    assert both == list(zip(*examples[:2], strict=True))
    for examples_of_one in (rest, part):
        assert examples_of_one.texts == sorted(examples_of_one.texts, key=lambda text: int(text[5:]))
        assert examples_of_one.source == "poems.csv"
    assert split_off(examples, share=share, seed=seed, stratify=stratify) == (rest, part)


@given(labels=LABELS, share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_each_class_gives_its_share_within_one(labels, share, seed):
    _, part = split_off(examples_of(labels), share=share, seed=seed)
    exact = len(part.labels) / len(labels)
    drawn = collections.Counter(part.labels)
    for label, count in collections.Counter(labels).items():
        assert abs(drawn[label] - exact * count) < 1


def test_another_seed_draws_others_and_every_example_can_be_drawn():
    examples = examples_of("ab" * 50)
    drawn = [split_off(examples, share=0.1, seed=seed)[1].texts for seed in range(80)]
    assert len({tuple(texts) for texts in drawn}) == 80
    assert len(set().union(*drawn)) == 100
    assert all(
        collections.Counter(split_off(examples, share=0.1, seed=s)[1].labels) == {"a": 5, "b": 5} for s in range(9)
    )


def test_shares_that_cannot_be_are_refused():
    for share in (0, 1, -0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match="the share of validation is"):
            split_off(examples_of("ab"), share=share, seed=0)
    with pytest.raises(InputError, match="1 examples cannot be divided"):
        split_off(examples_of("a"), share=0.5, seed=0)


def test_a_fingerprint_changes_with_content_order_and_part_alone():
    def of(texts, labels, name="train", source=""):
        return labelled_fingerprint({name: Labelled(texts, labels, source)})

    first = of(["ab", "c"], ["x", "y"])
    assert first == of(["ab", "c"], ["x", "y"], source="elsewhere.csv")
    assert len(first) == 16
    others = [
        of(["a", "bc"], ["x", "y"]),
        of(["c", "ab"], ["y", "x"]),
        of(["ab", "c"], ["x", "x"]),
        of(["ab", "c"], ["x", "y"], "test"),
        of(["ab"], ["x"]),
        of(["", "c"], ["xab", "y"]),
        of(["b", "c"], ["xa", "y"]),
    ]
    assert len({first, *others}) == 1 + len(others)
    parts = {"train": Labelled(["a"], ["x"]), "test": Labelled(["b"], ["y"])}
    assert labelled_fingerprint(parts) == labelled_fingerprint(dict(reversed(parts.items())))
