"""What numbers words by their frequency, checked."""

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Int

from jaxseq.errors import InputError


def require_frequency_order(
    counts: Int[np.ndarray, " v"], *, reserved: Collection[int] = (), names: Sequence[str] | None = None
) -> None:
    """Sees to it that no id was seen more often than one before it, as samplers by rank and the adaptive softmax want.

    Args:
        counts: how often each id was seen in training.
        reserved: ids, as those of padding and of unknown words, that may stand anywhere.
        names: what each id stands for, for the message.

    Raises:
        InputError: an id is out of order.
    """
    ids: list[int] = np.setdiff1d(np.arange(len(counts)), np.fromiter(reserved, int)).tolist()
    wrong = np.flatnonzero(np.diff(counts[ids]) > 0).tolist()
    if wrong:
        before, after = ids[wrong[0]], ids[wrong[0] + 1]
        called = ["" if names is None else f" ({names[i]!r})" for i in (before, after)]
        raise InputError(
            f"id {after}{called[1]} was seen {counts[after]} times in training, more than id {before}{called[0]}, "
            f"{counts[before]} times: a sampler by rank or an adaptive softmax needs ids sorted by frequency, number "
            "them by their counts in the training split"
        )
