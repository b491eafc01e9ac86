"""Labelled texts: their classes, a part of them for validation, and what tells them from others."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxseq.data.shuffling import shuffled
from jaxseq.errors import InputError
from jaxseq.reading import shown

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_SPLIT_EPOCH = 2**62  # no run comes to it, so no epoch's order has to do with the split
_SHOWN, _LONGEST = 10, 40


class Labelled(NamedTuple):
    """Texts and the label of each, in the order of their source."""

    texts: list[str]
    labels: list[str]
    source: str = ""
    """Where they are from, for messages."""


def find_classes(labels: Sequence[str]) -> tuple[str, ...]:
    """The distinct labels of a training part; the place of one is its class id.

    Sorted: numbers by their value, before labels that are none.

    Raises:
        InputError: there are fewer than two.
    """
    if not labels:
        raise InputError("there are no examples to train on: give --data.source a source that holds labelled texts")
    classes = tuple(sorted(set(labels), key=_rank))
    if len(classes) < 2:
        raise InputError(
            f"all {len(labels):,} examples to train on have the label {shown(labels[0])!r}: "
            "give --data.source a source with two classes or more, or another --data.label-column"
        )
    return classes


def class_ids(examples: Labelled, classes: Sequence[str], *, part: str = "") -> np.ndarray:
    """The class ids [n] int32 of examples.

    Args:
        part: that of their source which they are, for the message.

    Raises:
        InputError: a label is none of `classes`.
    """
    ids = {label: number for number, label in enumerate(classes)}
    try:
        return np.array([ids[label] for label in examples.labels], np.int32)
    except KeyError:
        at = next(index for index, label in enumerate(examples.labels) if label not in ids)
    known = ", ".join(map(shown, classes[:_SHOWN])) + (" ..." if len(classes) > _SHOWN else "")
    where = f"the {part} part of {examples.source or 'the source'}" if part else examples.source or "the source"
    raise InputError(
        f"example {at + 1:,} of {where}, {_begin(examples.texts[at])}, has the label {shown(examples.labels[at])!r}, "
        f"which no example to train on has (those have {known}): correct the label, leave the example out or train "
        "with it"
    )


def split_off(examples: Labelled, *, share: float, seed: int, stratify: bool = True) -> tuple[Labelled, Labelled]:
    """What is left of `examples`, and a part of them drawn at random: for training and for validation.

    Of n examples the part has round(share * n), halves up, though at least 1 and at most n - 1. The two have no example
    in common and keep the order of the source; which are drawn depends on n, `share`, `seed` and, stratified, the
    labels alone. Find the classes before: all there are of a rare one may be drawn.

    Args:
        share: above 0 and below 1.
        stratify: draw from each class its share, rounded down or up so that the sum is right.

    Raises:
        InputError: the share is out of bounds, or there are fewer than two examples.
    """
    count = len(examples.labels)
    if not 0 < share < 1:
        raise InputError(f"the share of validation is {share}: give one above 0 and below 1")
    if count < 2:
        raise InputError(f"{count} examples cannot be divided: add labelled texts, or give none to validation")
    size = min(max(int(share * count + 0.5), 1), count - 1)
    order = shuffled(np.arange(count), count=count, seed=seed, epoch=_SPLIT_EPOCH)
    drawn = np.zeros(count, bool)
    drawn[_stratified(order, examples.labels, size) if stratify else order[:size]] = True
    return _taken(examples, ~drawn), _taken(examples, drawn)


def labelled_fingerprint(parts: Mapping[str, Labelled]) -> str:
    """A short hash that changes when a text, a label, their order or their part does, and with nothing else."""
    total = hashlib.sha256()
    for name in sorted(parts):
        total.update(f"{name} {len(parts[name].texts)}\n".encode())
        for text, label in zip(parts[name].texts, parts[name].labels, strict=True):
            first, second = label.encode(), text.encode()
            total.update(b"%d %d " % (len(first), len(second)))
            total.update(first)
            total.update(second)
    return total.hexdigest()[:16]


def _begin(text: str) -> str:
    return repr(text[:_LONGEST]) + (" ..." if len(text) > _LONGEST else "")


def _rank(label: str) -> tuple[bool, float, str]:
    is_number = _NUMBER.fullmatch(label) is not None
    return not is_number, float(label) if is_number else 0.0, label


def _stratified(order: np.ndarray, labels: Sequence[str], size: int) -> np.ndarray:
    """The first few of each class in `order` [n], `size` in all, by the method of largest remainders."""
    _, classes, counts = np.unique(np.asarray(labels, object), return_inverse=True, return_counts=True)
    quotas, remainders = np.divmod(counts * size, len(order))
    most = np.argsort(-remainders, kind="stable")[: size - int(quotas.sum())]
    quotas[most] += 1
    grouped = order[np.argsort(classes[order], kind="stable")]
    begins = np.cumsum(counts) - counts
    return np.concatenate([grouped[start : start + quota] for start, quota in zip(begins, quotas, strict=True)])


def _taken(examples: Labelled, chosen: np.ndarray) -> Labelled:
    at = np.flatnonzero(chosen).tolist()
    return Labelled([examples.texts[i] for i in at], [examples.labels[i] for i in at], examples.source)
