"""Made-up pictures of hands and other things: what they show, and that they are drawn as they say."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseq.data import make_hands
from jaxseq.data.hands import KINDS, OTHERS, Scene, Thing, draw_scene, make_scene
from jaxseq.errors import InputError

SIZE = (54, 96)
SPLITS = ("train", "validation", "test")


@settings(max_examples=40)
@given(number=st.integers(0, 10**6), split=st.sampled_from(SPLITS), seed=st.integers(0, 99), alike=st.integers(0, 2))
def test_a_scene_has_one_hand_that_nothing_covers_or_none_and_is_labelled_so(number, split, seed, alike):
    scene = make_scene(number, split, seed=seed, size=SIZE, alike=alike / 2)
    kinds = [thing.kind for thing in scene.things]
    assert 1 <= len(kinds) <= 3
    assert kinds.count("hand") == scene.label <= 1
    assert "hand" not in kinds[:-1]
    assert set(kinds) <= {"hand", *OTHERS}
    for thing in scene.things:
        red, green, blue = thing.color
        if thing.kind == "hand" or alike == 2:
            assert red > green > blue  # as all skin
        elif alike == 0:
            assert red <= max(green, blue)
    assert KINDS == ("no hand", "a hand")


@settings(max_examples=40)
@given(number=st.integers(0, 10**6), split=st.sampled_from(SPLITS), size=st.sampled_from([(54, 96), (40, 20)]))
def test_things_are_whole_within_the_picture_or_its_half(number, split, size):
    for halves in (False, True):
        scene = make_scene(number, split, seed=1, size=size, halves=halves)
        low, high = ((0, 0.5) if split == "train" else (0.5, 1)) if halves else (0, 1)
        for thing in scene.things:
            ends = thing.parts[:, :4].reshape(-1, 2, 2)
            radii = thing.parts[:, 4][:, None, None]
            assert ((ends - radii).min(axis=(0, 1)) >= (low * size[1] - 1e-9, -1e-9)).all()
            assert ((ends + radii).max(axis=(0, 1)) <= (high * size[1] + 1e-9, size[0] + 1e-9)).all()


def test_a_hand_has_a_palm_four_fingers_and_a_thumb_of_two_joints():
    scenes = [make_scene(number, "train", seed=0, size=SIZE) for number in range(200)]
    hands = [scene.things[-1] for scene in scenes if scene.label]
    assert 80 < len(hands) < 120
    for hand in hands:
        palm, fingers, thumb = hand.parts[:3], hand.parts[3:7], hand.parts[7:]
        assert len(thumb) == 2
        np.testing.assert_allclose(thumb[0, 2:4], thumb[1, :2])
        assert fingers[:, 4].max() < palm[:, 4].min()
    angles = [math.atan2(*(hand.parts[1, 2:4] - hand.parts[1, :2])) for hand in hands]
    assert np.histogram(angles, bins=4, range=(-math.pi, math.pi))[0].min() > 10  # of any turn


def test_a_picture_follows_from_the_seed_its_split_and_its_number_alone():
    numbers = np.array([5, 0, 70_000])
    pictures, labels = make_hands(numbers, "test", seed=3, size=SIZE)
    assert (pictures.shape, pictures.dtype, labels.dtype) == ((3, *SIZE, 3), np.uint8, np.int32)
    for at, number in enumerate(numbers):
        alone, label = make_hands(numbers[at : at + 1], "test", seed=3, size=SIZE)
        np.testing.assert_array_equal(alone[0], pictures[at])
        assert label[0] == labels[at] == make_scene(int(number), "test", seed=3, size=SIZE).label


def test_no_picture_is_in_two_splits_nor_comes_up_twice():
    seen = [
        picture.tobytes()
        for split, seed in product(SPLITS, (0, 1))
        for picture in make_hands(np.arange(60), split, seed=seed, size=SIZE)[0]
    ]
    assert len(set(seen)) == len(seen) == 360


def test_what_a_thing_covers_is_what_points_in_its_capsules_do():
    """By the share of 16 x 16 points of a pixel that lie within the radius of a line segment."""
    parts = np.array([(6.3, 9.1, 20.4, 15.2, 4.2), (12.0, 30.5, 12.0, 30.5, 6.0), (20.0, 15.0, 33.0, 2.0, 2.5)])
    picture = np.zeros((40, 40, 3), np.uint8)
    ground = np.full((1, 1, 3), 40, np.uint8)
    draw_scene(Scene([Thing("twig", parts, np.array([240.0, 240.0, 240.0]))], ground), picture)
    fine = (np.arange(40 * 16) + 0.5) / 16
    inside = np.zeros((40 * 16, 40 * 16), bool)
    for x0, y0, x1, y1, radius in parts:
        along, length = np.array([x1 - x0, y1 - y0]), max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
        share = np.clip(((fine[None] - x0) * along[0] + (fine[:, None] - y0) * along[1]) / length, 0, 1)
        inside |= np.hypot(fine[None] - x0 - share * along[0], fine[:, None] - y0 - share * along[1]) < radius
    covered = inside.reshape(40, 16, 40, 16).mean(axis=(1, 3))
    np.testing.assert_array_equal(picture[covered == 0], 40)
    assert (picture[covered == 1] >= 240 * 0.65 - 1).all()  # as dark as an edge at the most
    edge = (covered > 0) & (covered < 1)
    darkest, brightest = 40 + covered * (240 * 0.65 - 40), 40 + covered * (240 - 40)
    assert (picture[edge, 0] >= darkest[edge] - 30).all()
    assert (picture[edge, 0] <= brightest[edge] + 30).all()
    assert abs((picture[..., 0] > 98).sum() / inside.mean() / 1600 - 1) < 0.02


def test_the_middle_of_a_hand_has_its_colour_and_the_corner_that_of_the_ground():
    for number in range(40):
        scene = make_scene(number, "train", seed=0, size=(108, 192))
        picture = np.empty((108, 192, 3), np.uint8)
        draw_scene(scene, picture)
        front = scene.things[-1]
        x, y = front.parts[1, :2] if front.kind == "hand" else front.parts[0, :2]
        assert np.abs(picture[int(y), int(x)] - front.color).max() < 12
        reach = np.concatenate([thing.parts for thing in scene.things])
        ends = reach[:, :4].reshape(-1, 2)
        if np.hypot(*(ends - (0.5, 0.5)).T).min() > 40:
            np.testing.assert_array_equal(picture[0, 0], scene.ground[0, 0])


def test_grain_makes_pixels_brighter_by_15_at_the_most_and_never_turns_them_over():
    for number in range(30):
        scene = make_scene(number, "test", seed=0, size=SIZE)
        plain, grainy = np.empty((*SIZE, 3), np.uint8), np.empty((*SIZE, 3), np.uint8)
        draw_scene(scene, plain)
        draw_scene(scene, grainy, np.random.Philox(7))
        more = grainy.astype(int) - plain
        assert more.min() >= 0
        assert more.max() <= 15
        assert 7 < more.mean() < 8


def test_a_split_that_is_none_is_refused():
    with pytest.raises(InputError, match="the split is 'dev': choose train, validation, test"):
        make_hands(np.arange(2), "dev", seed=0, size=SIZE)
