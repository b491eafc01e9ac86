"""Made-up pictures to find hands in: a hand among other things, or other things alone.

Everything that is shown is a union of capsules, line segments with a thickness, drawn with soft edges. A picture
follows from the seed, its split and its number alone.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.corpus import SPLITS
from jaxseq.errors import InputError

KINDS = ("no hand", "a hand")
"""Names of the labels 0 and 1."""
OTHERS = ("ball", "fist", "bars", "flower", "twig")
"""Kinds of things that are no hand."""
MOST = 3
"""Things in a picture."""

_DRAWS = 256
"""Numbers that a picture takes beside its grain, and that a part of them takes at the most."""
_SKINS = np.array(
    [[255, 228, 208], [243, 200, 165], [224, 172, 130], [196, 138, 96], [146, 92, 60], [98, 62, 44], [66, 43, 34]]
)
"""Colours of skin, from light to dark; those between two are skin too."""
_LEAST_SIZE, _MOST_SIZE = 0.4, 0.8
"""Of a thing from end to end, as a share of the shorter side of the picture, or of its half."""
_ROUNDNESS = 0.35
"""How much darker a thing is at its edge."""
_GRAIN = 15
"""How much brighter the grain makes a pixel at the most."""


class Thing(NamedTuple):
    """Something in a picture."""

    kind: str
    """One of `OTHERS`, or "hand"."""
    parts: NDArray[np.float64]
    """[m, 5]: capsules as x and y of both ends and a radius, in pixels; x to the right and y down."""
    color: NDArray[np.float64]
    """[3], 0 to 255."""


class Scene(NamedTuple):
    """What a picture shows."""

    things: list[Thing]
    """From the back to the front; a hand is the last one, so that nothing covers it."""
    ground: NDArray[np.uint8]
    """[rows, columns, 3]: colours of the fields behind them, which share the picture evenly."""

    @property
    def label(self) -> int:
        """1 where there is a hand, else 0."""
        return int(self.things[-1].kind == "hand")


def make_scene(
    number: int, split: str, *, seed: int, size: tuple[int, int], alike: float = 0.0, halves: bool = False
) -> Scene:
    """What the picture of this number in a split shows.

    Half of the scenes have a hand: of any colour of skin, in any place where it is whole, of any turn, left or right,
    its fingers spread or not. Beside it, or without it, there are up to `MOST` things in all. Behind them is a ground
    from grey to green and blue.

    Args:
        size: height and width of the picture.
        alike: share of the other things that have a colour of skin as well; the rest have more green or blue than red.
        halves: put everything into the left half of pictures to train on, and into the right half of others.

    Raises:
        InputError: there is no such split.
    """
    draw = _Draws(_stream(number, split, seed).random_raw(_DRAWS))
    count = draw.below(MOST) + 1
    with_hand = draw.number() < 0.5
    kinds = [OTHERS[draw.below(len(OTHERS))] for _ in range(count - with_hand)] + ["hand"] * with_hand
    height, width = size
    across = (0.0, width / 2) if halves and split == "train" else (width / 2, width) if halves else (0.0, width)
    return Scene([_thing(kind, draw, height, across, alike) for kind in kinds], _ground(draw))


def make_hands(
    numbers: NDArray[np.integer],
    split: str,
    *,
    seed: int,
    size: tuple[int, int],
    alike: float = 0.0,
    halves: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The pictures [n, h, w, 3] of these `numbers` [n] in a split, and their labels [n]: 1 where there is a hand.

    Arguments and errors as `make_scene` has them.
    """
    pictures = np.empty((len(numbers), *size, 3), np.uint8)
    labels = np.empty(len(numbers), np.int32)
    for at, number in enumerate(numbers.tolist()):
        scene = make_scene(number, split, seed=seed, size=size, alike=alike, halves=halves)
        draw_scene(scene, pictures[at], _stream(number, split, seed, 1))
        labels[at] = scene.label
    return pictures, labels


def draw_scene(scene: Scene, picture: NDArray[np.uint8], grain: np.random.Philox | None = None) -> None:
    """Draws a scene into a picture [h, w, 3], with a grain where random numbers for it are given."""
    height, width, _ = picture.shape
    rows, columns, _ = scene.ground.shape
    field = scene.ground[:, np.arange(width) * columns // width]
    np.take(field, np.arange(height) * rows // height, axis=0, out=picture, mode="clip")
    for thing in scene.things:
        _draw(thing, picture)
    if grain is not None:
        count = picture.size
        words = grain.random_raw(-(-count // 8)) & np.uint64(0x0101010101010101 * _GRAIN)
        picture += words.view(np.uint8)[:count].reshape(picture.shape)


class _Draws:
    """Numbers from 0 to below 1, one after the other."""

    def __init__(self, raw: NDArray[np.uint64]) -> None:
        self._left = iter(((raw >> np.uint64(11)) * 2.0**-53).tolist())

    def number(self, least: float = 0.0, most: float = 1.0) -> float:
        return least + next(self._left) * (most - least)

    def below(self, count: int) -> int:
        return int(next(self._left) * count)


def _stream(number: int, split: str, seed: int, *parts: int) -> np.random.Philox:
    if split not in SPLITS:
        raise InputError(f"the split is {split!r}: choose {', '.join(SPLITS)}")
    return np.random.Philox(np.random.SeedSequence([seed, SPLITS.index(split), number, *parts]))


def _thing(kind: str, draw: _Draws, height: float, across: tuple[float, float], alike: float) -> Thing:
    """Something that is whole between the columns `across`."""
    shape = np.array(_SHAPES[kind](draw))
    left, right = across
    length = draw.number(_LEAST_SIZE, _MOST_SIZE) * min(height, right - left)
    angle, mirrored = draw.number(0, 2 * math.pi), draw.number() < 0.5
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    ends = shape[:, :4].reshape(-1, 2, 2) * (-1 if mirrored else 1, 1) @ turn.T
    radii = shape[:, 4]
    low, high = (ends - radii[:, None, None]).min((0, 1)), (ends + radii[:, None, None]).max((0, 1))
    scale = length / max(high - low)
    room = (right - left, height) - (high - low) * scale
    ends = (ends - low) * scale + (left, 0) + (draw.number(), draw.number()) * room
    skin = draw.number() < alike or kind == "hand"
    color = _skin(draw) if skin else _other_color(draw)
    return Thing(kind, np.concatenate([ends.reshape(-1, 4), radii[:, None] * scale], axis=1), color)


def _skin(draw: _Draws) -> NDArray[np.float64]:
    place = draw.number(0, len(_SKINS) - 1)
    color = np.array([np.interp(place, np.arange(len(_SKINS)), _SKINS[:, channel]) for channel in range(3)])
    return np.clip(color * draw.number(0.85, 1.05), 0, 240)


def _other_color(draw: _Draws) -> NDArray[np.float64]:
    """Any colour that has more of green or blue than of red."""
    low, middle, high = sorted(draw.number(20, 235) for _ in range(3))
    red, other = (low, middle) if draw.number() < 0.5 else (middle, low)
    return np.array([red, high, other] if draw.number() < 0.5 else [red, other, high])


def _hand(draw: _Draws) -> list[tuple[float, ...]]:
    """A right hand from its back, fingers up, 1 long from wrist to knuckles: palm, four fingers and a thumb."""
    parts = [(-0.24, 0.0, -0.3, -0.72, 0.24), (0.0, 0.0, 0.0, -0.78, 0.26), (0.22, -0.05, 0.3, -0.7, 0.24)]
    spread, bend = draw.number(0.0, 0.26), draw.number(0.75, 1.0)
    for at, (x, length, radius) in enumerate(
        ((-0.4, 0.72, 0.125), (-0.14, 0.84, 0.13), (0.13, 0.78, 0.128), (0.39, 0.58, 0.11))
    ):
        turn = (at - 1.5) * spread + draw.number(-0.04, 0.04)
        reach = length * bend * draw.number(0.92, 1.05)
        parts.append((x, -0.78, x + reach * math.sin(turn), -0.86 - reach * math.cos(turn), radius))
    turn = draw.number(-1.25, -0.75)
    knee = (-0.4 + 0.42 * math.sin(turn), -0.18 - 0.42 * math.cos(turn))
    parts.append((-0.3, -0.12, *knee, 0.17))
    turn += draw.number(0.1, 0.5)
    parts.append((*knee, knee[0] + 0.38 * math.sin(turn), knee[1] - 0.38 * math.cos(turn), 0.125))
    return parts


def _ball(draw: _Draws) -> list[tuple[float, ...]]:
    """A disc, or a longer thing with round ends."""
    return [(0.0, 0.0, draw.number(0, 1.5), 0.0, 0.6)]


def _fist(draw: _Draws) -> list[tuple[float, ...]]:
    """A palm without fingers."""
    wide = draw.number(0.25, 0.35)
    return [(-wide, 0.0, -wide, -0.6, 0.3), (0.0, 0.1, 0.0, -0.7, 0.3), (wide, 0.0, wide, -0.6, 0.3)]


def _bars(draw: _Draws) -> list[tuple[float, ...]]:
    """Three to six bars side by side, as fingers without a palm."""
    count, radius = 3 + draw.below(4), draw.number(0.09, 0.13)
    return [(0.3 * at, draw.number(-0.1, 0.1), 0.3 * at, 1 + draw.number(-0.2, 0.2), radius) for at in range(count)]


def _flower(draw: _Draws) -> list[tuple[float, ...]]:
    """Five to eight petals all round."""
    count, radius, inner = 5 + draw.below(4), draw.number(0.12, 0.2), draw.number(0.2, 0.4)
    angles = [2 * math.pi * at / count for at in range(count)]
    petals = [(inner * math.cos(a), inner * math.sin(a), math.cos(a), math.sin(a), radius) for a in angles]
    return [(0.0, 0.0, 0.0, 0.0, inner + 0.05), *petals]


def _twig(draw: _Draws) -> list[tuple[float, ...]]:
    """A long stick with shorter ones at its sides."""
    parts = [(0.0, 0.0, 0.0, -2.0, 0.1)]
    for at in range(2 + draw.below(4)):
        side, place, length = (-1) ** at, draw.number(0.4, 1.8), draw.number(0.4, 0.8)
        parts.append((0.0, -place, side * length, -place - length * draw.number(0.3, 0.9), 0.08))
    return parts


_SHAPES = {"hand": _hand, "ball": _ball, "fist": _fist, "bars": _bars, "flower": _flower, "twig": _twig}


def _ground(draw: _Draws) -> NDArray[np.uint8]:
    """Fields of a colour from grey to green and blue, lighter in one corner than in another, and a pattern of tiles."""
    rows, columns = 36, 64
    light, red, green, blue = draw.number(50, 200), draw.number(-50, 0), draw.number(-10, 30), draw.number(0, 45)
    shades = np.array([draw.number(-40, 40) for _ in range(4)]).reshape(2, 2, 1)
    corners = np.array([light + red, light + green, light + blue]) + shades
    down, across = np.linspace(0, 1, rows)[:, None, None], np.linspace(0, 1, columns)[None, :, None]
    (a, b), (c, d) = corners
    field = (1 - down) * ((1 - across) * a + across * b) + down * ((1 - across) * c + across * d)
    every, beside, strength = 1 + draw.below(12), 1 + draw.below(12), draw.number(0, 25)
    tiles = (np.arange(rows)[:, None] // every + np.arange(columns) // beside) % 2
    return np.clip(field + strength * (2 * tiles - 1)[..., None], 0, 255 - _GRAIN).astype(np.uint8)


def _draw(thing: Thing, picture: NDArray[np.uint8]) -> None:
    """Covers a part of a picture [h, w, 3]; of a pixel as much as the distance of its middle to the edge has it."""
    height, width, _ = picture.shape
    reach = thing.parts[:, 4:] + 1
    left, top = np.floor((np.minimum(thing.parts[:, :2], thing.parts[:, 2:4]) - reach).min(0)).astype(int).clip(0)
    right, bottom = np.ceil((np.maximum(thing.parts[:, :2], thing.parts[:, 2:4]) + reach).max(0)).astype(int)
    box = picture[top : min(bottom, height), left : min(right, width)]
    covered, bright = np.zeros(box.shape[:2], np.float32), np.zeros(box.shape[:2], np.float32)
    for part in thing.parts - (left, top, left, top, 0):
        _add_capsule(part, covered, bright)
    for channel, strength in enumerate(thing.color.tolist()):  # one after the other: loops over three are slow
        plane = box[..., channel]
        mixed = bright * np.float32(strength) - plane
        mixed *= covered
        mixed += plane
        plane[:] = np.rint(mixed, out=mixed)  # colours stay below 255 - _GRAIN


def _add_capsule(part: NDArray[np.float64], covered: NDArray[np.float32], bright: NDArray[np.float32]) -> None:
    """Adds a capsule to what is covered of each pixel [h, w], 0 to 1, and how bright it is there, 0 to 1."""
    x0, y0, x1, y1, radius = part.tolist()
    left, top = max(0, math.floor(min(x0, x1) - radius - 1)), max(0, math.floor(min(y0, y1) - radius - 1))
    right, bottom = math.ceil(max(x0, x1) + radius + 1), math.ceil(max(y0, y1) + radius + 1)
    some = (slice(top, bottom), slice(left, right))
    h, w = covered[some].shape
    x = np.arange(left, left + w, dtype=np.float32) + np.float32(0.5 - x0)
    y = np.arange(top, top + h, dtype=np.float32)[:, None] + np.float32(0.5 - y0)
    ax, ay = np.float32(x1 - x0), np.float32(y1 - y0)
    length = max(ax * ax + ay * ay, np.float32(1e-6))
    along = np.clip(x * (ax / length) + y * (ay / length), 0, 1)
    distance = np.square(x - along * ax) + np.square(y - along * ay)
    near = 1 - np.float32(_ROUNDNESS / radius**2) * np.minimum(distance, np.float32(radius**2))
    np.maximum(bright[some], near, out=bright[some])
    np.sqrt(distance, out=distance)
    np.maximum(covered[some], np.clip(np.float32(radius + 0.5) - distance, 0, 1), out=covered[some])
