"""From sources as token ids to the token ids of their translations, however they are put in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from numpy.typing import NDArray

from jaxseq.data.padding import pad_sequences, padding_mask
from jaxseq.decoding.beam import Beam
from jaxseq.decoding.filters import Sampling
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.signals import Poll, never
from jaxseq.tasks.candidates import (
    Candidate,
    SourceBatch,
    looked_at,
    power_of_two,
    rows_for,
    sample_each,
    search_each,
)
from jaxseq.tasks.task import Variables
from jaxseq.text.pair_tokenizers import PairTokenizers

_SHORTEST = 8
"""Tokens of a batch so short that a shorter one is not worth its compilation."""


@dataclass(frozen=True)
class Translator:
    """What `model` makes of sources; rows of a batch are shared among the devices that JAX has.

    How a source is padded follows from it alone; others in its batch change nothing beyond rounding.
    """

    model: EncoderDecoder
    tokenizers: PairTokenizers

    def search(
        self,
        variables: Variables,
        sources: Sequence[NDArray[np.int32]],
        beam: Beam,
        *,
        longest: int,
        prefix: Sequence[int] = (),
        poll: Poll = never,
    ) -> list[list[Candidate]]:
        """The best translations of each source [s], found by beam search, best first.

        Args:
            longest: tokens of a translation at the most, its end included.
            prefix: ids that each begins with.
            poll: called before each batch.

        Raises:
            InputError: the options do not fit the model.
            NonFiniteError: its logits are not finite.
        """
        end = self.tokenizers.target.end
        batches = _batches(sources)
        found = search_each(self.model, variables, batches, beam, end=end, longest=longest, prefix=prefix, poll=poll)
        return [found[number] for number in range(len(sources))]

    def sample(
        self,
        variables: Variables,
        sources: Sequence[NDArray[np.int32]],
        sampling: Sampling,
        *,
        count: int,
        longest: int,
        key: jax.Array,
        poll: Poll = never,
    ) -> list[list[Candidate]]:
        """`count` translations of each source [s], drawn, the likeliest first; arguments otherwise as `search`."""
        several = [source for source in sources for _ in range(count)]
        end = self.tokenizers.target.end
        batches = _batches(several)
        found = sample_each(self.model, variables, batches, sampling, end=end, longest=longest, key=key, poll=poll)
        drawn = [[found[number * count + k] for k in range(count)] for number in range(len(sources))]
        return [sorted(some, key=lambda one: -one.score) for some in drawn]

    def attention(
        self, variables: Variables, source: NDArray[np.int32], target: NDArray[np.int32]
    ) -> NDArray[np.float32] | None:
        """What each token of target [t] looked at in source [s] when it was made: [t, s]; None where the model looks at
        nothing."""
        inputs = np.concatenate([[self.tokenizers.target.start], target[:-1]])
        widths = [_padded_to(len(source)), _padded_to(len(target))]
        (tokens, source_mask), (inputs, mask) = (
            _padded([ids], rows=1, length=width) for ids, width in zip((source, inputs), widths, strict=True)
        )
        weights = looked_at(self.model, variables, tokens, inputs, source_mask=source_mask, mask=mask)
        return None if weights is None else np.asarray(weights, np.float32)[0, : len(target), : len(source)]


def _batches(sources: Sequence[NDArray[np.int32]]) -> Iterator[SourceBatch]:
    """Sources of lengths alike together, so that they are done at about the same time."""
    rows = rows_for(len(sources))
    order = sorted(range(len(sources)), key=lambda number: len(sources[number]))
    groups: dict[int, list[int]] = {}
    for number in order:
        groups.setdefault(_padded_to(len(sources[number])), []).append(number)
    for length, group in groups.items():
        for at in range(0, len(group), rows):
            which = group[at : at + rows]
            yield SourceBatch(which, *_padded([sources[number] for number in which], rows=rows, length=length))


def _padded_to(length: int) -> int:
    return max(_SHORTEST, power_of_two(length))


def _padded(
    sequences: Sequence[NDArray[np.int32]], *, rows: int, length: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Sequences as rows of ids, and where these are; rows beyond them are empty."""
    lengths = np.zeros(rows, np.int64)
    lengths[: len(sequences)] = [len(sequence) for sequence in sequences]
    empty = [np.zeros(0, np.int32)] * (rows - len(sequences))
    return pad_sequences([*sequences, *empty], length=length), padding_mask(lengths, length=length)
