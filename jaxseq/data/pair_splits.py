"""Pairs in splits that share no sentence, and the references that the pairs of a source are for each other."""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.data.corpus import SPLITS
from jaxseq.data.pairs import Pairs
from jaxseq.errors import InputError


class Referenced(NamedTuple):
    """A sentence and all that it may become."""

    source: str
    references: tuple[str, ...]
    """In the order of their file, each once."""


def split_pairs(pairs: Pairs, shares: Sequence[float]) -> dict[str, Pairs]:
    """The pairs by split, in their order: of "train", "validation" and "test" those whose share is above 0.

    Pairs that have a source or a target in common, and pairs that have one in common with these, go together, so that
    no sentence of one split is in another; sentences are the same that differ in case, white space or Unicode form
    alone. A group's split follows from a hash of its sentences: neither from a seed, nor from other pairs, their order
    or which side is the source. Shares are met about as well as by a draw of the groups.

    Args:
        shares: of the three, which add up to 1.

    Raises:
        InputError: a split would have no pair.
    """
    groups = _groups(pairs)
    keys: dict[int, str] = {}
    for group, source, target in zip(groups, pairs.sources, pairs.targets, strict=True):
        least = min(_same(source), _same(target))
        keys[group] = min(keys.get(group, least), least)
    bounds = np.cumsum(shares)
    bounds[np.flatnonzero(shares)[-1] :] = 1.0  # whatever the sum is rounded to
    split_of = {group: int(np.searchsorted(bounds, place_of(key), side="right")) for group, key in keys.items()}
    numbers = np.array([split_of[group] for group in groups])
    parts = {}
    for number, (name, share) in enumerate(zip(SPLITS, shares, strict=True)):
        if share == 0:
            continue
        chosen = np.flatnonzero(numbers == number).tolist()
        if not chosen:
            raise InputError(
                f"the {name} split has no pair, data.split is {tuple(shares)} of {len(keys):,} groups of pairs that "
                "share no sentence: give it a larger share or add pairs"
            )
        parts[name] = Pairs([pairs.sources[at] for at in chosen], [pairs.targets[at] for at in chosen])
    return parts


def with_references(pairs: Pairs) -> list[Referenced]:
    """The distinct sources, in order, each with all its targets: a translation may be any of them."""
    found: dict[str, dict[str, None]] = {}
    for source, target in zip(pairs.sources, pairs.targets, strict=True):
        found.setdefault(source, {})[target] = None
    return [Referenced(source, tuple(targets)) for source, targets in found.items()]


def repeated_sources(pairs: Pairs, trained: Pairs) -> int:
    """How many pairs have a source that `trained` has too, as `split_pairs` tells sentences apart: such ones are not
    unseen."""
    known = {_same(source) for source in trained.sources}
    return sum(_same(source) in known for source in pairs.sources)


def pairs_fingerprint(parts: Mapping[str, Pairs]) -> str:
    """16 hexadecimal digits that change when a sentence, the order or the split of one does, and with nothing else."""
    total = hashlib.sha256()
    for name in sorted(parts):
        total.update(f"{name} {len(parts[name].sources)}\n".encode())
        for pair in zip(parts[name].sources, parts[name].targets, strict=True):
            source, target = (side.encode() for side in pair)
            total.update(b"%d %d " % (len(source), len(target)))
            total.update(source)
            total.update(target)
    return total.hexdigest()[:16]


def _same(text: str) -> str:
    """Equal for sentences that are the same but for case, white space and Unicode form."""
    return unicodedata.normalize("NFC", " ".join(text.casefold().split()))


def place_of(key: str) -> float:
    """From 0 to below 1, evenly, by a hash."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest()) / 2**48


def _groups(pairs: Pairs) -> list[int]:
    """A number for each pair that those have in common which are joined by sentences: sets by union and find."""
    above: list[int] = []

    def top(number: int) -> int:
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    number_of: dict[tuple[int, str], int] = {}
    sources = []
    for pair in zip(pairs.sources, pairs.targets, strict=True):
        source, target = (number_of.setdefault((side, _same(text)), len(number_of)) for side, text in enumerate(pair))
        above.extend(range(len(above), len(number_of)))
        above[top(source)] = top(target)
        sources.append(source)
    return [top(source) for source in sources]
