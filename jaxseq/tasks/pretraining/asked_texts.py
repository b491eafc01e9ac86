"""Texts that a model is asked about, in batches whose shapes follow from each text alone.

So what is said of a text depends neither on those beside it nor on how many there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.padding import pad_sequences, padding_mask
from jaxseq.text.masked_tokenizer import MaskedTokenizer

AT_ONCE = 4096
"""Texts that are answered before the next ones are read."""
_ROWS = 32
"""Texts of a batch; fewer where each asks for much."""
_SHORTEST = 16
"""Tokens of a batch so short that another one half as long is not worth its compilation."""
_NOTHING = np.zeros(0, np.int32)

Made = TypeVar("Made")


class AskedText(NamedTuple):
    """A text."""

    tokens: NDArray[np.int32]
    """[t] ids, [CLS] first and [SEP] last."""
    segments: NDArray[np.int32]
    """[t], 1 for a pair's second text and the separator behind it, 0 elsewhere."""
    positions: NDArray[np.int32] = _NOTHING
    """[k] the tokens that are asked for."""


class AskedBatch(NamedTuple):
    """Some texts, and rows without any behind them."""

    which: list[int]
    """[n] numbers of the texts, which stand in the first n rows."""
    tokens: NDArray[np.int32]
    """[b, t]; 0 where `mask` is False."""
    segments: NDArray[np.int32]
    """[b, t]."""
    mask: NDArray[np.bool_]
    """[b, t], False on padding."""
    positions: NDArray[np.int32]
    """[b, k], 0 behind the last one of a text."""


def delimited(tokenizer: MaskedTokenizer, ids: NDArray[np.int32], *, positions: bool = False) -> AskedText:
    """[CLS] ids [SEP], of one text; with `positions` the hidden tokens are asked for."""
    tokens = np.concatenate([[tokenizer.start], ids, [tokenizer.separator]]).astype(np.int32)
    asked = np.flatnonzero(tokens == tokenizer.mask).astype(np.int32) if positions else _NOTHING
    return AskedText(tokens, np.zeros_like(tokens), asked)


def batches_of_own_shape(texts: Sequence[AskedText], *, longest: int) -> Iterator[AskedBatch]:
    """Every text once, with others of the same shape: as many tokens as `longest`, its half and so on, that have room
    for it, and a power of two of tokens that are asked for."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, text in enumerate(texts):
        shape = _length_for(len(text.tokens), longest), _power_for(len(text.positions))
        groups.setdefault(shape, []).append(number)
    for (length, most), members in sorted(groups.items()):
        rows = max(1, _ROWS // max(1, most))
        for first in range(0, len(members), rows):
            which = members[first : first + rows]
            some = [texts[number] for number in which]
            counts = np.zeros(rows, np.int64)
            counts[: len(some)] = [len(text.tokens) for text in some]
            empty = [_NOTHING] * (rows - len(some))
            yield AskedBatch(
                which,
                pad_sequences([*(text.tokens for text in some), *empty], length=length),
                pad_sequences([*(text.segments for text in some), *empty], length=length),
                padding_mask(counts, length=length),
                pad_sequences([*(text.positions for text in some), *empty], length=most),
            )


def one_behind(made: Iterable[Made]) -> Iterator[Made]:
    """Each of `made` when the next one has been begun, so that a device never waits for the host."""
    held: Any = None
    for each in made:
        if held is not None:
            yield held
        held = each
    if held is not None:
        yield held


def _length_for(count: int, longest: int) -> int:
    length = longest
    while length > _SHORTEST and count <= -(-length // 2):
        length = -(-length // 2)
    return length


def _power_for(count: int) -> int:
    return 1 << (count - 1).bit_length() if count else 0
