"""What a loader hands out."""

from typing import Any, NamedTuple, Protocol

import numpy as np


class Batch(NamedTuple):
    """One step's tokens. Arrays that never change are shared between batches and read-only."""

    inputs: np.ndarray
    """[b, t] int32 token ids; 0 where `mask` is False."""
    targets: np.ndarray
    """[b, t] int32, the token that follows each input in the corpus; 0 where `mask` is False."""
    mask: np.ndarray
    """[b, t] bool, False on padding."""
    reset: np.ndarray
    """[b, t] bool, True where the row starts from the initial carry before it reads the token; never on padding."""


class Loader(Protocol):
    """A pure function of the step: the same integer gives the same batch, in any order, in any process."""

    steps_per_epoch: int
    """Batches in a pass over the data; step s belongs to epoch s // steps_per_epoch."""
    batch_size: int
    """b of every batch."""
    uniform: bool
    """Whether all batches have the same shapes."""

    @property
    def left_out(self) -> str:
        """What no batch of an epoch holds, in words for a person; empty where all is read."""
        ...

    def __call__(self, step: int, /) -> Any:
        """A pytree of arrays [b, ...]."""
        ...


class TokenLoader(Loader, Protocol):
    """A loader of token ids that follow each other."""

    length: int
    """t of every batch."""
    carried: bool
    """True if row i of a batch goes on where row i of the batch before it ended."""
    masked: bool
    """False promises that every mask is all True."""
    interior_resets: bool
    """False promises that `reset` is True in column 0 only."""

    def __call__(self, step: int, /) -> Batch: ...
