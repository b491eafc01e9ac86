"""Made scenes: pictures of a few handwritten digits, what they show in English and Korean, and where each digit lies.

A scene follows from the seed, its split and its number alone. What its captions say is a pure function of it:
`jaxseq.data.scene_captions`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.captions import Captioned
from jaxseq.data.corpus import SPLITS
from jaxseq.data.digits import Digits, split_digits
from jaxseq.data.scene_captions import LANGUAGES, SceneLanguage, describe, naming_order, relations_of
from jaxseq.errors import InputError

_GAP = 2
"""Pixels that are left between two digits at the least."""
_TRIES = 2_000
_AT_ONCE = 2_000
"""Scenes that are drawn together, which bounds memory."""
_VALIDATION = 12
"""One of so many digits to train on is kept for the scenes of validation."""


class Scenes(NamedTuple):
    """Scenes of k digits each. Digit i is the i-th that an English caption names."""

    pictures: NDArray[np.uint8]
    """[n, h, w, 1], 0 where no digit is."""
    captions: list[list[tuple[str, str]]]
    """Of each scene as (language, caption)."""
    boxes: NDArray[np.int32]
    """[n, k, 4]: top, left, bottom and right of each digit's ink, in pixels, the last two just outside."""
    named: list[list[list[int]]]
    """For each caption and each of its words, parts between spaces, which digit it names: 0 to k-1, or -1 for an
    article, a relation or "and". "small" belongs to the name of its digit."""
    labels: NDArray[np.int32]
    """[n, k], 0 to 9."""
    small: NDArray[np.bool_]
    """[n, k], True where a digit has half its size."""


def make_scenes(
    digits: Digits,
    split: str,
    count: int,
    *,
    seed: int,
    per_scene: int = 2,
    size: tuple[int, int] = (48, 48),
    languages: Sequence[SceneLanguage] = LANGUAGES,
) -> Scenes:
    """`count` scenes of a split; each follows from the arguments and its number alone.

    Digits are drawn at random, each in its size or in half of it by a coin, and put at random where none touches
    another and the first named is clearly above, below, left or right of the others.

    Args:
        digits: those of this split.
        per_scene: digits in a scene, 1 to 3.
        size: height and width of the pictures.

    Raises:
        InputError: there is no such split, a label that is no digit, or no room for the digits.
    """
    if split not in SPLITS:
        raise InputError(f"the split is {split!r}: choose {', '.join(SPLITS)}")
    if digits.labels.max(initial=0) > 9:
        raise InputError(f"a label is {digits.labels.max()}, and scenes are of the digits 0 to 9: give those of MNIST")
    stream = (seed, SPLITS.index(split))
    chosen = (_uniform(*stream, 0, shape=(count, per_scene)) * len(digits.labels)).astype(np.int64)
    small = _uniform(*stream, 1, shape=(count, per_scene)) < 0.5
    tiles, inks = _tiles(digits.pictures, chosen, small)
    extent = inks[..., 2:] - inks[..., :2]
    corners = _placed(extent, small, size, stream)
    boxes = np.concatenate([corners, corners + extent], axis=-1)
    pictures = _drawn(tiles, corners - inks[..., :2], size)
    order = naming_order(boxes, small)
    boxes = np.take_along_axis(boxes, order[..., None], axis=1)
    chosen, small = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(small, order, axis=1)
    labels = digits.labels[chosen]
    captions, named = [], []
    for scene in zip(labels.tolist(), small.tolist(), relations_of(boxes).tolist(), strict=True):
        described = [describe(*scene, language=language) for language in languages]
        captions.append(
            [(language, " ".join(words)) for language, (words, _) in zip(languages, described, strict=True)]
        )
        named.append([names for _, names in described])
    return Scenes(pictures, captions, boxes.astype(np.int32), named, labels, small)


def make_scene_splits(
    parts: Mapping[str, Digits],
    *,
    examples: int,
    held_out: int,
    seed: int,
    per_scene: int = 2,
    size: tuple[int, int] = (48, 48),
    languages: Sequence[SceneLanguage] = LANGUAGES,
) -> dict[str, Scenes]:
    """Scenes to train on, and `held_out` for validation and as many to test.

    Those to test are of the digits of the part "test", those for validation of digits of the part "train" that no scene
    to train on has, a twelfth of them, drawn by the seed: no picture of a digit is in two splits.

    Raises:
        InputError: as `make_scenes`.
    """
    split = split_digits(parts, validation=max(1, len(parts["train"].labels) // _VALIDATION), seed=seed)
    counts = {"train": examples, "validation": held_out, "test": held_out}
    return {
        name: make_scenes(split[name], name, count, seed=seed, per_scene=per_scene, size=size, languages=languages)
        for name, count in counts.items()
    }


def captioned_scenes(scenes: Scenes, split: str) -> Captioned:
    """Scenes as other captioned pictures are, named by their split and number."""
    names = [f"{split} {number}" for number in range(len(scenes.pictures))]
    return Captioned(names, scenes.pictures, scenes.captions)


def _uniform(seed: int, split: int, draw: int, *, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 0 to below 1, of which the i-th row does not depend on how many there are."""
    raw = np.random.Philox(np.random.SeedSequence([seed, split, draw])).random_raw(int(np.prod(shape)))
    return (raw >> np.uint64(11)).reshape(shape) * 2.0**-53


def _tiles(pictures: np.ndarray, chosen: np.ndarray, small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The digits that scenes show in their size, and where in each of these tiles its ink is: top, left, bottom and
    right. [n, k, h, w] and [n, k, 4]; a small one is in the first quarter of its tile."""
    tiles = pictures[chosen][..., 0]
    h, w = tiles.shape[2] // 2 * 2, tiles.shape[3] // 2 * 2
    halves = tiles[small][:, :h, :w].reshape(-1, h // 2, 2, w // 2, 2).mean(axis=(2, 4))
    shrunk = np.zeros((len(halves), *tiles.shape[2:]), np.uint8)
    shrunk[:, : h // 2, : w // 2] = np.rint(halves).astype(np.uint8)
    tiles[small] = shrunk
    inks = np.empty((*chosen.shape, 4), np.int64)
    for side, axis in enumerate((3, 2)):
        ink = tiles.max(axis=axis) > 0
        inks[..., side] = ink.argmax(axis=-1)
        inks[..., side + 2] = tiles.shape[2 + side] - np.flip(ink, axis=-1).argmax(axis=-1)
    return tiles, inks


def _placed(extent: np.ndarray, small: np.ndarray, size: tuple[int, int], stream: tuple[int, int]) -> np.ndarray:
    """Top and left [n, k, 2] of digits of height and width `extent` [n, k, 2], drawn until all is clear."""
    room = np.array(size) - extent
    if (room < 0).any():
        tall, wide = extent.max(axis=(0, 1)).tolist()
        raise InputError(f"data.size is {size}, and digits have up to {tall} x {wide} pixels: give a larger one")
    corners = np.zeros_like(extent)
    left = np.arange(len(extent))
    for number in range(_TRIES):
        drawn = _uniform(*stream, 2 + number, shape=extent.shape)[left]
        corners[left] = (drawn * (room[left] + 1)).astype(np.int64)
        boxes = np.concatenate([corners[left], corners[left] + extent[left]], axis=-1)
        left = left[~_clear(boxes, small[left])]
        if not len(left):
            return corners
    raise InputError(
        f"data.size is {size}: {_TRIES:,} draws gave {extent.shape[1]} digits no place in it, give a larger one"
    )


def _clear(boxes: np.ndarray, small: np.ndarray) -> np.ndarray:
    """[n] whether no two digits touch and the first named has one relation to each other one."""
    order = naming_order(boxes, small)
    boxes = np.take_along_axis(boxes, order[..., None], axis=1)
    clear = relations_of(boxes).min(axis=1, initial=0) >= 0
    k = boxes.shape[1]
    for i in range(k):
        for j in range(i):
            apart = boxes[:, i, :2] - boxes[:, j, 2:], boxes[:, j, :2] - boxes[:, i, 2:]
            clear &= np.maximum(*apart).max(axis=1) >= _GAP
    return clear


def _drawn(tiles: np.ndarray, corners: np.ndarray, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Tiles [n, k, h, w] with their first pixels at `corners` [n, k, 2], which may lie outside: [n, *size, 1]."""
    n, k, h, w = tiles.shape
    drawn = np.empty((n, *size, 1), np.uint8)
    rows, columns = np.arange(h)[:, None], np.arange(w)
    for start in range(0, n, _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, n))
        count = some.stop - start
        canvas = np.zeros((count, size[0] + 2 * h, size[1] + 2 * w), np.uint8)  # with a margin that is cut off
        for digit in range(k):
            top, left = (corners[some, digit, axis][:, None, None] for axis in (0, 1))
            at = np.arange(count)[:, None, None], top + h + rows, left + w + columns
            canvas[at] = np.maximum(canvas[at], tiles[some, digit])
        drawn[some] = canvas[:, h:-h, w:-w, None]
    return drawn
