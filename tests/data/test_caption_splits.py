"""Splits of captioned pictures: none in two, and combinations that training never saw though it saw their parts."""

import collections
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jaxseq.data import (
    Captioned,
    captions_fingerprint,
    read_captions,
    split_captioned,
    split_combinations,
    take_captioned,
)
from jaxseq.data.pair_splits import place_of
from jaxseq.errors import InputError

SHARES = (0.8, 0.1, 0.1)


def made(captions, *, pictures=None, names=None):
    """Pictures of one pixel, each another one unless told otherwise; captions of one language each."""
    numbers = np.arange(len(captions)) if pictures is None else np.array(pictures)
    values = np.stack([numbers % 256, numbers // 256], axis=-1).astype(np.uint8)
    return Captioned(
        names or [f"{number}.png" for number in range(len(captions))],
        values[:, None, None, :],
        [[("en", each)] if isinstance(each, str) else each for each in captions],
    )


def line_or(split, *args, **options):
    """What `split` gives, or what it says where it cannot."""
    try:
        return split(*args, **options)
    except InputError as error:
        return str(error)


def pairs_in(part, language="en"):
    texts = [text for captions in part.captions for name, text in captions if name == language]
    return {tuple(text.split(": ", 1)) for text in texts if ": " in text}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.sampled_from([SHARES, (0.5, 0.5, 0), (1, 0, 0)]))
def test_splits_by_name_share_no_picture_and_keep_their_order(pictures, shares):
    whole = made(["x"] * len(pictures), pictures=pictures)
    parts = line_or(split_captioned, whole, shares)
    if isinstance(parts, str):
        assert "has no picture, data.split is" in parts
        return
    assert list(parts) == [name for name, share in zip(("train", "validation", "test"), shares, strict=True) if share]
    assert sorted(name for part in parts.values() for name in part.names) == sorted(whole.names)
    seen = {}
    for name, part in parts.items():
        assert part.names == sorted(part.names, key=whole.names.index)
        for picture in part.pictures:
            assert seen.setdefault(picture.tobytes(), name) == name  # those that are the same go together
    at = {name: index for index, name in enumerate(whole.names)}
    bounds = np.cumsum(shares)
    for name, part in parts.items():
        for picture in part.names:
            alike = [other for other in whole.names if pictures[at[other]] == pictures[at[picture]]]
            place = place_of(min(alike))
            assert name == ["train", "validation", "test"][sum(place >= bound for bound in bounds[:2])]


@st.composite
def combined(draw):
    """Captions of which most are combinations: most that there are of few parts, some pictures being the same."""
    x, y = draw(st.integers(3, 7)), draw(st.integers(3, 5))
    pairs = [(a, b) for a in range(x) for b in range(y)]
    pairs += draw(st.lists(st.tuples(st.integers(0, x + 1), st.integers(0, y + 1)), max_size=9))
    left = draw(st.sets(st.integers(0, len(pairs) - 1), max_size=len(pairs) // 3))
    captions = [f"x{a}: y{b}" for at, (a, b) in enumerate(pairs) if at not in left] + ["alone"] * draw(
        st.integers(0, 3)
    )
    pictures = list(range(len(captions)))
    for at, other in draw(st.dictionaries(st.integers(0, 9), st.integers(0, 9), max_size=4)).items():
        pictures[at % len(captions)] = pictures[other % len(captions)]
    return made(captions, pictures=pictures)


@given(combined(), st.sampled_from([SHARES, (0.6, 0.2, 0.2), (0.34, 0.33, 0.33)]))
def test_no_combination_is_on_both_sides_and_each_part_is_seen_in_training(whole, shares):
    splits = line_or(split_combinations, whole, shares, language="en")
    if isinstance(splits, str):
        assert "has no combination, data.split is" in splits
        return
    train, validation = splits["train"]["train"], splits["validation"]["validation"]
    unseen, seen = splits["test"]["unseen"], splits["test"]["seen"]
    trained = pairs_in(train)
    assert not pairs_in(validation) & trained
    assert not pairs_in(unseen) & trained
    assert not pairs_in(unseen) & pairs_in(validation)
    assert pairs_in(seen) <= trained
    for x, y in pairs_in(validation) | pairs_in(unseen):
        assert any(a == x and b != y for a, b in trained)
        assert any(a != x and b == y for a, b in trained)
    assert sorted([*train.names, *validation.names, *unseen.names]) == sorted(whole.names)
    assert set(seen.names) <= set(train.names)
    assert len(pairs_in(seen)) <= len(pairs_in(unseen))
    # What no model could tell apart is not asked for.
    captions = collections.defaultdict(set)
    for picture, (caption,) in zip(whole.pictures, whole.captions, strict=True):
        captions[picture.tobytes()].add(caption)
    for part in (validation, unseen):
        assert all(len(captions[picture.tobytes()]) == 1 for picture in part.pictures)


@given(combined(), st.randoms(use_true_random=False))
def test_which_are_held_out_does_not_depend_on_the_order(whole, rng):
    order = list(range(len(whole.names)))
    rng.shuffle(order)
    found = []
    for each in (whole, take_captioned(whole, np.array(order))):
        splits = line_or(split_combinations, each, (0.6, 0.2, 0.2), language="en")
        assume(not isinstance(splits, str))
        found.append({name: set(part.names) for parts in splits.values() for name, part in parts.items()})
    assert found[0] == found[1]


def test_shares_are_of_what_may_be_held_out():
    whole = made([f"x{a}: y{b}" for a in range(20) for b in range(10)] + ["flag: one", "only"])
    splits = split_combinations(whole, (0.7, 0.1, 0.2), language="en")
    counts = {name: len(part.names) for parts in splits.values() for name, part in parts.items()}
    assert counts == {"train": 142, "validation": 20, "unseen": 40, "seen": 40}


def test_a_picture_with_several_combinations_is_trained_on():
    captions = [f"x{a}: y{b}" for a in range(4) for b in range(4)]
    whole = made([[("en", text), ("en", captions[0]), ("ko", "x")] for text in captions])
    with pytest.raises(InputError, match=r"the test split has no combination, data\.split is .* of 16 in 'en'"):
        split_combinations(whole, SHARES, language="en")
    whole = made([[("en", text), ("en", text), ("ko", f"z: {text}")] for text in captions])
    splits = split_combinations(whole, SHARES, language="en")
    assert len(splits["test"]["unseen"].names) == 2


def test_a_language_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"data\.combinations is 'korean', and captions are in en: name one"):
        split_combinations(made(["a: b"] * 3), SHARES, language="korean")


def test_the_fingerprint_tells_every_change():
    parts = {"train": made(["a", "b"]), "test": made(["c"])}
    train = parts["train"]
    pictures = train.pictures.copy()
    pictures[0] += 1
    others = [
        {**parts, "train": train._replace(pictures=pictures)},
        {**parts, "train": train._replace(captions=[[("en", "a")], [("ko", "b")]])},
        {**parts, "train": train._replace(captions=[[("en", "a"), ("en", "b")], []])},
        {**parts, "train": train._replace(names=["0.png", "2.png"])},
        {"train": parts["test"], "test": train},
    ]
    prints = {captions_fingerprint(each) for each in [parts, *others]}
    assert len(prints) == 6
    assert captions_fingerprint({"test": made(["c"]), "train": made(["a", "b"])._replace(remark="x")}) in prints


@pytest.fixture(scope="module")
def emoji(data_folder: Path):
    folder = data_folder / "emoji_captions"
    if not folder.is_dir():
        pytest.skip(f"no emoji_captions in {data_folder}")
    table = str(folder / "captions.tsv")
    return read_captions(str(folder / "images.zip"), captions=table, caption_columns=("english", "korean"))


def test_the_emoji_have_combinations_of_gesture_and_tone_to_hold_out(emoji):
    splits = split_combinations(emoji, SHARES, language="english")
    counts = {name: len(part.names) for parts in splits.values() for name, part in parts.items()}
    assert counts == {"train": 3_404, "validation": 191, "unseen": 191, "seen": 191}
    unseen, trained = pairs_in(splits["test"]["unseen"], "english"), pairs_in(splits["train"]["train"], "english")
    assert all(any(a == x for a, _ in trained) and any(b == y for _, b in trained) for x, y in unseen)
    single = [y for _, y in unseen if y.endswith("skin tone") and "," not in y]
    assert len(single) == 149
    assert not any(x == "snowboarder" for x, _ in unseen | pairs_in(splits["validation"]["validation"], "english"))


def test_the_emoji_that_are_the_same_go_together(emoji):
    parts = split_captioned(emoji, SHARES)
    assert {name: len(part.names) for name, part in parts.items()} == {"train": 2_995, "validation": 407, "test": 384}
    split_of = {dict(texts)["english"]: name for name, part in parts.items() for texts in part.captions}
    assert len({split_of[f"flag: {place}"] for place in ("france", "st. martin", "clipperton island")}) == 1
