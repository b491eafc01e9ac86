"""Pairs as token ids: how long they are, and which are too long to train on."""

from typing import NamedTuple, Self

import numpy as np

from jaxseq.data.examples import Sequences, join_sequences, take_sequences
from jaxseq.data.pairs import Pairs
from jaxseq.errors import InputError
from jaxseq.text.pair_tokenizers import PairTokenizers


class PairTokens(NamedTuple):
    """The ids of pairs, a sequence a side."""

    sources: Sequences
    """Each with its end."""
    targets: Sequences
    """Each from its start to its end."""

    @property
    def source_lengths(self) -> np.ndarray:
        """Tokens of each source, its end included: [k] int64."""
        return self.sources.lengths

    @property
    def target_lengths(self) -> np.ndarray:
        """Tokens that are to be written of each target, its end included: [k] int64."""
        return self.targets.lengths - 1

    def within(self, source_length: int, target_length: int) -> Self:
        """Those pairs of which no side has more tokens, to train on.

        Raises:
            InputError: there is none.
        """
        fits = self._fits(source_length, target_length)
        if fits.all():
            return self
        if not fits.any():
            raise InputError(
                f"all {len(fits):,} pairs to train on have more than {source_length} tokens in the source or "
                f"{target_length} in the target: raise --data.source-length or --data.target-length"
            )
        return self._replace(sources=take_sequences(self.sources, fits), targets=take_sequences(self.targets, fits))

    def longer(self, source_length: int, target_length: int) -> str:
        """How many pairs `within` leaves out, in words, and the lengths of the first; empty where there is none."""
        out = np.flatnonzero(~self._fits(source_length, target_length))
        if not len(out):
            return ""
        at = int(out[0])
        return (
            f"{len(out):,} of {len(self.source_lengths):,} pairs are left out of training, which have more than "
            f"{source_length} tokens in the source or {target_length} in the target; the first one, pair {at + 1:,}, "
            f"has {self.source_lengths[at]} and {self.target_lengths[at]}"
        )

    def overview(self) -> str:
        """How many pairs there are and how long, in words."""
        means = f"{self.source_lengths.mean():.1f} and {self.target_lengths.mean():.1f}"
        longest = f"{self.source_lengths.max():,} and {self.target_lengths.max():,}"
        return f"{len(self.source_lengths):,} pairs, sources and targets of {means} tokens, at most {longest}"

    def _fits(self, source_length: int, target_length: int) -> np.ndarray:
        return (self.source_lengths <= source_length) & (self.target_lengths <= target_length)


def encode_pairs(tokenizers: PairTokenizers, pairs: Pairs) -> PairTokens:
    """The ids of all pairs.

    Raises:
        UnknownSymbolError: a sentence has a symbol without id; which one is told.
    """
    return PairTokens(
        join_sequences(tokenizers.encode_sources(pairs.sources)),
        join_sequences(tokenizers.encode_targets(pairs.targets)),
    )
