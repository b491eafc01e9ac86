"""Captioned pictures in splits that share no picture, or no combination of what captions are put together from."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np

from jaxseq.data.captions import Captioned
from jaxseq.data.corpus import SPLITS
from jaxseq.data.pair_splits import place_of
from jaxseq.errors import InputError

UNSEEN, SEEN = "unseen", "seen"
"""The parts of a test split of combinations."""
_BETWEEN = ": "
Combination = tuple[str, str]
"""X and Y of a caption "X: Y"."""


def split_captioned(captioned: Captioned, shares: Sequence[float]) -> dict[str, Captioned]:
    """The pictures by split, in their order: of "train", "validation" and "test" those whose share is above 0.

    Pictures that are the same to the last pixel go together. To which split they belong follows from a hash of the
    first of their names in the order of the alphabet: neither from a seed, nor from other pictures.

    Args:
        shares: of the three, which add up to 1.

    Raises:
        InputError: a split would have no picture.
    """
    bounds = np.cumsum(shares)
    bounds[np.flatnonzero(shares)[-1] :] = 1.0  # whatever the sum is rounded to
    groups = _groups_of_equals(captioned)
    firsts: dict[int, str] = {}
    for group, name in zip(groups, captioned.names, strict=True):
        firsts[group] = min(firsts.get(group, name), name)
    places = {group: place_of(name) for group, name in firsts.items()}
    numbers = np.searchsorted(bounds, [places[group] for group in groups], side="right")
    parts = {}
    for number, (name, share) in enumerate(zip(SPLITS, shares, strict=True)):
        if share == 0:
            continue
        chosen = np.flatnonzero(numbers == number)
        if not len(chosen):
            raise InputError(
                f"the {name} split has no picture, data.split is {tuple(shares)} of {len(groups):,} pictures: give it "
                "a larger share or add pictures"
            )
        parts[name] = take_captioned(captioned, chosen)
    return parts


def split_combinations(
    captioned: Captioned, shares: Sequence[float], *, language: str
) -> dict[str, dict[str, Captioned]]:
    """Splits of which validation and test hold combinations of two parts that are never seen together in training.

    A caption in `language` of the form "X: Y" is a combination of X and Y as they stand: "dark skin tone, facing right"
    is another Y than "dark skin tone". A combination may be held out where X and Y each have another partner, its
    pictures have no other combination, and none of them is the same to the last pixel as one of another caption, which
    no model could tell apart. These are asked in the order of a hash, the first ones for test, the next for validation,
    and each is held out that leaves X and Y a partner in training. All other pictures are trained on, those without a
    combination too.

    Args:
        shares: of the combinations that may be held out, for "train", "validation" and "test"; a little less is where
            parts would be left without a partner.

    Returns:
        {"train": {"train": ...}, "validation": {"validation": ...}, "test": {"unseen": ..., "seen": ...}}. "seen" has
        as many combinations as "unseen", which might have been held out, too, and are trained on: for comparison.

    Raises:
        InputError: there is no such language, or a split would have no combination.
    """
    languages = sorted({name for captions in captioned.captions for name, _ in captions})
    if language not in languages:
        raise InputError(f"data.combinations is {language!r}, and captions are in {', '.join(languages)}: name one")
    of_picture = [_combinations(captions, language) for captions in captioned.captions]
    rows: dict[Combination, list[int]] = {}
    for at, pairs in enumerate(of_picture):
        for pair in pairs:
            rows.setdefault(pair, []).append(at)
    order = sorted(rows, key=lambda pair: place_of(_BETWEEN.join(pair)))
    fixed = _ambiguous(captioned, of_picture).union(*(pairs for pairs in of_picture if len(pairs) > 1))
    held, seen = _held_out(order, fixed, shares)
    for name, pairs in held.items():
        if not pairs:
            raise InputError(
                f"the {name} split has no combination, data.split is {tuple(shares)} of {len(rows):,} in {language!r}: "
                "give it a larger share, or leave out data.combinations"
            )

    def of(pairs: Iterable[Combination]) -> Captioned:
        return take_captioned(captioned, np.array(sorted(at for pair in pairs for at in rows[pair]), np.int64))

    out = {pair for pairs in held.values() for pair in pairs}
    train = np.array([at for at, pairs in enumerate(of_picture) if not out.intersection(pairs)], np.int64)
    return {
        "train": {"train": take_captioned(captioned, train)},
        "validation": {"validation": of(held["validation"])},
        "test": {UNSEEN: of(held["test"]), SEEN: of(seen[: len(held["test"])])},
    }


def take_captioned(captioned: Captioned, at: np.ndarray) -> Captioned:
    """The pictures at `at` [m], with their captions."""
    chosen = at.tolist()
    return Captioned(
        [captioned.names[index] for index in chosen],
        captioned.pictures[at],
        [captioned.captions[index] for index in chosen],
    )


def captions_fingerprint(parts: Mapping[str, Captioned]) -> str:
    """16 hexadecimal digits that change when a picture, a caption, their order or the split of one does."""
    total = hashlib.sha256()
    for name in sorted(parts):
        part = parts[name]
        total.update(f"{name} {part.pictures.shape}\n".encode())
        total.update(np.ascontiguousarray(part.pictures).data)
        for picture, captions in zip(part.names, part.captions, strict=True):
            for text in (picture, *(side for caption in captions for side in caption)):
                data = text.encode()
                total.update(b"%d " % len(data))
                total.update(data)
            total.update(b"\n")
    return total.hexdigest()[:16]


def _combinations(captions: Sequence[tuple[str, str]], language: str) -> set[Combination]:
    """Those of a picture's captions in this language."""
    parts = [text.partition(_BETWEEN) for name, text in captions if name == language]
    return {(x.strip(), y.strip()) for x, between, y in parts if between and x.strip() and y.strip()}


def _held_out(
    order: Sequence[Combination], fixed: Set[Combination], shares: Sequence[float]
) -> tuple[dict[str, list[Combination]], list[Combination]]:
    """The combinations for test and validation, and those left that might have been."""
    partners = Counter(part for pair in order for part in enumerate(pair))
    possible = [pair for pair in order if pair not in fixed and _have_others(pair, partners)]
    wanted = {"test": round(shares[2] * len(possible)), "validation": round(shares[1] * len(possible))}
    held: dict[str, list[Combination]] = {name: [] for name in wanted}
    left = []
    for pair in possible:
        name = next((name for name, count in wanted.items() if len(held[name]) < count), None)
        if name is None or not _have_others(pair, partners):
            left.append(pair)
        else:
            held[name].append(pair)
            partners.subtract(enumerate(pair))
    return held, left


def _have_others(pair: Combination, partners: Mapping[tuple[int, str], int]) -> bool:
    return all(partners[part] > 1 for part in enumerate(pair))


def _ambiguous(captioned: Captioned, of_picture: Sequence[Set[Combination]]) -> set[Combination]:
    """Combinations of which a picture is the same as one of another caption."""
    found: dict[int, set[frozenset[Combination]]] = {}
    for group, pairs in zip(_groups_of_equals(captioned), of_picture, strict=True):
        found.setdefault(group, set()).add(frozenset(pairs))
    return {pair for alike in found.values() if len(alike) > 1 for pairs in alike for pair in pairs}


def _groups_of_equals(captioned: Captioned) -> list[int]:
    """For each picture the number of the first that is the same to the last pixel."""
    firsts: dict[bytes, int] = {}
    return [
        firsts.setdefault(hashlib.sha256(np.ascontiguousarray(picture).data).digest(), at)
        for at, picture in enumerate(captioned.pictures)
    ]
