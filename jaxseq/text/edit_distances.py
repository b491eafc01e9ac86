"""How many changes make one text of another, and which words are spelled nearly alike.

Characters are code points: normalise first where a text may have both é and e with a mark behind it. What is held
against each other need be no text: of two lists of words, the changes are of words.

rapidfuzz does the work: pip install 'jaxseq[vectors]'.
"""

import importlib
from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError

EditMeasure = Literal["levenshtein", "hamming"]


def levenshtein(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and replacements that make `other` of `one` (Levenshtein 1966).

    >>> levenshtein("kitten", "sitting")
    3
    >>> levenshtein("a good film".split(), "a film".split())
    1
    """
    return _library("distance").Levenshtein.distance(one, other)


def hamming(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The number of places in which two sequences of one length differ (Hamming 1950).

    Raises:
        InputError: they are not of one length.

    >>> hamming("karolin", "kathrin")
    3
    """
    if len(one) != len(other):
        raise InputError(
            f"sequences of {len(one):,} and {len(other):,} have no Hamming distance: give two of one length, or take "
            "the Levenshtein distance"
        )
    return _library("distance").Hamming.distance(one, other)


def edit_distances(
    ones: Sequence[Sequence[Hashable]],
    others: Sequence[Sequence[Hashable]],
    *,
    measure: EditMeasure = "levenshtein",
    workers: int = 1,
) -> NDArray[np.int32]:
    """The distance of every one of `ones` [n] from every one of `others` [m], [n, m].

    Args:
        workers: threads; -1 is one for each core.

    Raises:
        InputError: `measure` is "hamming" and not all are of one length.
    """
    if measure == "hamming" and len(lengths := {len(text) for text in (*ones, *others)}) > 1:
        raise InputError(
            f"sequences of {min(lengths):,} to {max(lengths):,} have no Hamming distance: give those of one length, or "
            'take measure="levenshtein"'
        )
    if not ones or not others:
        return np.zeros((len(ones), len(others)), np.int32)
    distance = {"levenshtein": "Levenshtein", "hamming": "Hamming"}[measure]
    scorer = getattr(_library("distance"), distance).distance
    return _library("process").cdist(ones, others, scorer=scorer, dtype=np.int32, workers=workers)


def near_spellings(word: str, words: Sequence[str], *, count: int = 3, most: int = 2) -> list[str]:
    """At most `count` of `words` that are at most `most` changes from `word`, the nearest first, of equally near ones
    the earlier; "most" is fewer for short words, of which every other is near.

    >>> near_spellings("qeen", ["king", "queen", "green", "keen"])
    ['queen', 'keen', 'green']
    """
    most = min(most, max(1, len(word) // 2))
    scorer = _library("distance").Levenshtein.distance
    found = _library("process").extract(word, words, scorer=scorer, limit=count, score_cutoff=most)
    return [spelling for spelling, _, _ in found]


def _library(part: str) -> Any:
    """A module of rapidfuzz, which is optional and comes in late."""
    try:
        return importlib.import_module(f"rapidfuzz.{part}")
    except ImportError as error:
        raise InputError("edit distances need the package rapidfuzz: pip install 'jaxseq[vectors]'") from error
