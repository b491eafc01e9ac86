"""Made scenes: drawn as a plain loop draws them, each by itself, and no picture of a digit in two splits."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseq.data import Digits, captioned_scenes, make_scene_splits, make_scenes, read_digits
from jaxseq.data.scene_captions import describe, naming_order, relations_of
from jaxseq.errors import InputError


def blocks(count, *, first=1):
    """Digits of which each is a block of another value, 20 pixels high and 12 wide, in a tile of 28."""
    pictures = np.zeros((count, 28, 28, 1), np.uint8)
    pictures[:, 4:24, 8:20, 0] = np.arange(first, first + count)[:, None, None]
    return Digits(pictures, (np.arange(count) % 10).astype(np.int32))


def shapes(count, *, seed=0):
    """Digits of random pixels, each in a part of its tile of its own, with an edge that is not empty."""
    rng = np.random.default_rng(seed)
    pictures = np.zeros((count, 28, 28, 1), np.uint8)
    for picture in pictures:
        top, left = rng.integers(0, 10, 2)
        bottom, right = rng.integers(16, 25, 2)
        picture[top:bottom, left:right, 0] = rng.integers(1, 256, (bottom - top, right - left))
    return Digits(pictures, rng.integers(0, 10, count).astype(np.int32))


@st.composite
def options(draw):
    k = draw(st.integers(1, 3))
    size = draw(st.sampled_from([(48, 48), (40, 64), (64, 56)] if k < 3 else [(64, 64), (56, 80)]))
    return {"seed": draw(st.integers(0, 99)), "per_scene": k, "size": size}


@given(options(), st.sampled_from(["train", "validation", "test"]), st.integers(1, 9), st.integers(0, 5))
def test_a_scene_follows_from_its_number_alone(given_options, split, count, more):
    digits = shapes(7)
    few, many = (make_scenes(digits, split, number, **given_options) for number in (count, count + more))
    for one, other in zip(few, many, strict=True):
        assert np.array_equal(one, other[:count]) if isinstance(one, np.ndarray) else one == other[:count]
    again = make_scenes(digits, split, count, **given_options)
    np.testing.assert_array_equal(few.pictures, again.pictures)


@given(options())
def test_digits_lie_in_their_boxes_apart_and_in_the_relation_that_is_told(given_options):
    k, size = given_options["per_scene"], given_options["size"]
    scenes = make_scenes(blocks(9), "train", 6, **given_options)
    assert scenes.pictures.shape == (6, *size, 1)
    assert scenes.pictures.dtype == np.uint8
    assert scenes.boxes.shape == (6, k, 4)
    for number in range(6):
        wanted = np.zeros(size, np.uint8)
        for digit in range(k):
            top, left, bottom, right = scenes.boxes[number, digit]
            assert 0 <= top < bottom <= size[0]
            assert 0 <= left < right <= size[1]
            assert (bottom - top, right - left) == ((10, 6) if scenes.small[number, digit] else (20, 12))
            assert (wanted[max(top - 2, 0) : bottom + 2, left:right] == 0).all()
            assert (wanted[top:bottom, max(left - 2, 0) : right + 2] == 0).all()
            value = scenes.pictures[number, top, left, 0]
            assert (value - 1) % 10 == scenes.labels[number, digit]
            wanted[top:bottom, left:right] = value
        np.testing.assert_array_equal(scenes.pictures[number, :, :, 0], wanted)
    relations = relations_of(scenes.boxes)
    assert (relations >= 0).all()
    assert (naming_order(scenes.boxes, scenes.small) == np.arange(k)).all()
    for number, (captions, named) in enumerate(zip(scenes.captions, scenes.named, strict=True)):
        about = scenes.labels[number], scenes.small[number], relations[number]
        for (language, caption), names in zip(captions, named, strict=True):
            assert (caption.split(" "), names) == describe(*about, language=language)


def test_every_pixel_of_a_digit_is_drawn_in_half_its_size_by_the_mean_of_four():
    digits = shapes(5)
    scenes = make_scenes(digits, "test", 40, seed=3, per_scene=1)
    for picture, box, label, small in zip(scenes.pictures, scenes.boxes, scenes.labels, scenes.small, strict=True):
        (top, left, bottom, right), ink = box[0], []
        for tile in digits.pictures[digits.labels == label[0], :, :, 0].astype(float):
            if small[0]:
                tile = np.array(
                    [[tile[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(14)] for i in range(14)]
                )
                tile = np.rint(tile)
            rows, columns = np.flatnonzero(tile.any(axis=1)), np.flatnonzero(tile.any(axis=0))
            ink.append(tile[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        assert any(np.array_equal(picture[top:bottom, left:right, 0], each) for each in ink)
        assert picture[top:bottom, left:right].sum() == picture.sum()


def test_no_picture_of_a_digit_is_in_two_splits():
    parts = {"train": blocks(120), "test": blocks(60, first=150)}
    for seed in range(3):
        splits = make_scene_splits(parts, examples=300, held_out=100, seed=seed)
        assert [len(scenes.pictures) for scenes in splits.values()] == [300, 100, 100]
        values = {name: set(np.unique(scenes.pictures).tolist()) - {0} for name, scenes in splits.items()}
        assert not values["train"] & values["validation"]
        assert values["train"] | values["validation"] <= set(range(1, 121))
        assert values["test"] <= set(range(150, 210))
        assert 0 < len(values["validation"]) <= 10


def test_splits_and_seeds_have_scenes_of_their_own():
    digits = blocks(50)
    made = [
        make_scenes(digits, split, 5, seed=seed).pictures
        for split in ("train", "validation", "test")
        for seed in (0, 1)
    ]
    assert len({pictures.tobytes() for pictures in made}) == 6


def test_one_language_is_the_same_scenes():
    digits = blocks(50)
    both, korean = (make_scenes(digits, "train", 9, seed=0, **more) for more in ({}, {"languages": ("korean",)}))
    np.testing.assert_array_equal(both.pictures, korean.pictures)
    assert [captions[1:] for captions in both.captions] == korean.captions
    assert [names[1:] for names in both.named] == korean.named
    captioned = captioned_scenes(both, "train")
    assert captioned.names[:2] == ["train 0", "train 1"]
    assert captioned.captions is both.captions


def test_what_cannot_be_is_told():
    with pytest.raises(InputError, match="the split is 'dev': choose train, validation, test"):
        make_scenes(blocks(9), "dev", 1, seed=0)
    with pytest.raises(InputError, match=r"data\.size is \(16, 48\), and digits have up to 20 x 12 pixels"):
        make_scenes(blocks(9), "train", 50, seed=0, size=(16, 48))
    with pytest.raises(InputError, match=r"data\.size is \(22, 22\): 2,000 draws gave 3 digits no place in it"):
        make_scenes(blocks(9), "train", 3, seed=0, size=(22, 22), per_scene=3)
    with pytest.raises(InputError, match="a label is 25, and scenes are of the digits 0 to 9"):
        make_scenes(blocks(9)._replace(labels=np.full(9, 25, np.int32)), "train", 1, seed=0)


def test_scenes_of_mnist_stay_as_they_are(data_folder: Path):
    if not (data_folder / "mnist").is_dir():
        pytest.skip(f"no mnist in {data_folder}")
    scenes = make_scene_splits(read_digits(str(data_folder / "mnist")), examples=200, held_out=50, seed=0)["test"]
    # Looked at: an upright 8 of half its size to the upper right of a 2.
    assert scenes.captions[0] == [("english", "a two left of a small eight"), ("korean", "작은 팔 왼쪽에 이")]
    assert scenes.boxes[0].tolist() == [[11, 1, 29, 21], [3, 26, 14, 35]]
    assert int(scenes.pictures.sum(dtype=np.int64)) == 1_679_649
