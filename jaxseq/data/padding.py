"""Sequences of different lengths as one array, and which of its places they fill."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from jaxseq.errors import InputError

Side = Literal["pre", "post"]


def padding_mask(lengths: ArrayLike, *, length: int, padding: Side = "post") -> NDArray[np.bool_]:
    """Where sequences of `lengths` [n] stand in rows of `length` values: [n, length], False on padding.

    A sequence longer than a row fills it. The ids that stand there have no part in this: a text may hold any.

    Raises:
        InputError: `padding` is neither "pre" nor "post".

    >>> padding_mask([2, 0, 3], length=3, padding="pre").astype(int).tolist()
    [[0, 1, 1], [0, 0, 0], [1, 1, 1]]
    """
    _require_side(padding, "padding")
    counts = np.asarray(lengths, np.int64)[:, None]
    place = np.arange(length)
    return place < counts if padding == "post" else place >= length - counts


def pad_sequences(
    sequences: Sequence[ArrayLike],
    *,
    length: int | None = None,
    padding: Side = "post",
    truncating: Side = "post",
    value: Any = 0,
    dtype: DTypeLike = np.int32,
) -> np.ndarray:
    """Sequences of ids [t] or of vectors [t, d], each as a row of one new array: [n, length] or [n, length, d].

    Args:
        length: of a row; that of the longest sequence where it is None.
        padding: fill up what is shorter before it ("pre") or after it ("post").
        truncating: leave out of what is longer the first values ("pre") or the last ("post").
        value: what to fill up with.

    Keras's `pad_sequences` does the same, with "pre" for both unless told otherwise.

    Raises:
        InputError: `length` is negative; a side is neither "pre" nor "post"; sequences hold values of different shapes,
            or integers that `dtype` cannot hold.
        TypeError: `dtype` is of another kind than the values, as integers are for fractions.

    >>> pad_sequences([[1, 2, 3], [4]], length=2).tolist()
    [[1, 2], [4, 0]]
    """
    _require_side(padding, "padding")
    _require_side(truncating, "truncating")
    if length is not None and length < 0:
        raise InputError(f"length is {length}: give 0 or more")
    arrays = [np.asarray(sequence) for sequence in sequences]
    for index, array in enumerate(arrays):
        if array.ndim == 0:
            raise InputError(f"sequence {index} is {array.item()!r}: give a sequence of values")
    longest = max(map(len, arrays), default=0)
    length = longest if length is None else length
    if truncating == "post":
        kept = [array[:length] for array in arrays]
    else:
        kept = [array[max(len(array) - length, 0) :] for array in arrays]
    filled = [array for array in kept if len(array)]
    shape = next((array.shape[1:] for array in arrays if len(array)), ())
    for index, array in enumerate(arrays):
        if len(array) and array.shape[1:] != shape:
            raise InputError(
                f"sequence {index} holds values of the shape {array.shape[1:]}, one before it {shape}: give one shape"
            )
    rows = np.full((len(arrays), length, *shape), value, dtype)
    if filled:
        values = np.concatenate(filled)
        _require_range(values, rows.dtype)
        mask = padding_mask([len(array) for array in kept], length=length, padding=padding)
        rows[mask] = values.astype(rows.dtype, casting="same_kind", copy=False)
    return rows


def id_rows(
    ids: np.ndarray, starts: np.ndarray, counts: np.ndarray, rows: int, length: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """`counts` [n] ids from `starts` [n] on, and where they are: [rows, length] each, 0 and False elsewhere.

    Args:
        ids: sequences laid end to end, one id at least.
        rows: n or more; those behind the n-th are empty.
    """
    missing = rows - len(starts)
    mask = np.arange(length) < np.pad(counts, (0, missing))[:, None]
    positions = (np.pad(starts, (0, missing))[:, None] + np.arange(length)) * mask  # padding points at the first id
    return ids[positions].astype(np.int32, copy=False) * mask, mask


def _require_side(side: str, name: str) -> None:
    if side not in ("pre", "post"):
        raise InputError(f"{name} is {side!r}: give 'pre' or 'post'")


def _require_range(values: np.ndarray, dtype: np.dtype) -> None:
    if values.dtype.kind in "iu" and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        least, most = values.min(), values.max()
        if least < limits.min or most > limits.max:
            wrong = least if least < limits.min else most
            raise InputError(f"{wrong} does not fit {dtype}, which goes from {limits.min} to {limits.max}: widen it")
