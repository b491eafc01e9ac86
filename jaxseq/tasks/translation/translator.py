"""From sources as token ids to the token ids of their translations, however they are put in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jaxseq.data.padding import pad_sequences, padding_mask
from jaxseq.decoding.beam import Beam
from jaxseq.decoding.decode import beam_decode, sample_decode
from jaxseq.decoding.filters import Sampling
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.signals import Poll, never
from jaxseq.tasks.task import Variables
from jaxseq.text.pair_tokenizers import PairTokenizers

ROWS = 64
"""Sources of a batch, at the most."""
_SHORTEST = 8
"""Tokens of a batch so short that a shorter one is not worth its compilation."""


class Candidate(NamedTuple):
    """What a source may become."""

    ids: NDArray[np.int32]
    """[t], its end included unless it was cut at the maximum length."""
    score: float
    """What candidates are ranked by, the highest first."""
    log_probability: float
    """In nats, of all its tokens."""
    certified: bool
    """Whether nothing that was not found can score higher."""


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
        found: list[list[Candidate]] = [[] for _ in sources]
        model = self.model.with_room(_power_of_two(longest))
        for which, tokens, mask in _batches(sources):
            poll()
            limits = np.where(np.arange(len(tokens)) < len(which), longest, max(1, len(prefix)))
            made = beam_decode(
                model,
                variables["params"],
                tokens,
                mask=mask,
                end=self.tokenizers.target.end,
                max_length=limits,
                beam=beam,
                prefix=[prefix] * len(tokens) if prefix else None,
            )
            for row, number in enumerate(which):
                there = np.flatnonzero(made.lengths[row])
                found[number] = [
                    Candidate(
                        np.asarray(made.tokens[row, n, : made.lengths[row, n]]),
                        float(made.scores[row, n]),
                        float(made.log_probabilities[row, n]),
                        bool(made.certified[row, n]),
                    )
                    for n in there
                ]
        return found

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
        model = self.model.with_room(_power_of_two(longest))
        several = [source for source in sources for _ in range(count)]
        found: list[list[Candidate]] = [[] for _ in sources]
        for number, (which, tokens, mask) in enumerate(_batches(several)):
            poll()
            made = sample_decode(
                model,
                variables["params"],
                tokens,
                mask=mask,
                end=self.tokenizers.target.end,
                max_length=np.where(np.arange(len(tokens)) < len(which), longest, 1),
                key=jax.random.fold_in(key, number),
                sampling=sampling,
            )
            for row, at in enumerate(which):
                likely = float(made.log_probabilities[row])
                ids = np.asarray(made.tokens[row, : made.lengths[row]])
                found[at // count].append(Candidate(ids, likely, likely, False))
        return [sorted(some, key=lambda one: -one.score) for some in found]

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
        weights = _attention(self.model, variables, tokens, inputs, source_mask, mask)
        return None if weights is None else np.asarray(weights, np.float32)[0, : len(target), : len(source)]


@partial(jax.jit, static_argnums=0)
def _attention(
    model: EncoderDecoder, variables: Variables, source: Any, inputs: Any, source_mask: Any, mask: Any
) -> Any:
    masks = {"source_mask": source_mask, "mask": mask}
    made: Any = model.apply(variables, source, inputs, **masks, mutable=["intermediates"])
    return model.attention_in(made[1].get("intermediates", {}))


def _batches(
    sources: Sequence[NDArray[np.int32]],
) -> Iterator[tuple[list[int], NDArray[np.int32], NDArray[np.bool_]]]:
    """Which sources, of lengths alike so that they are done at about the same time; they as [b, s]; their mask."""
    rows = min(ROWS, _power_of_two(len(sources))) if len(sources) else ROWS
    order = sorted(range(len(sources)), key=lambda number: len(sources[number]))
    groups: dict[int, list[int]] = {}
    for number in order:
        groups.setdefault(_padded_to(len(sources[number])), []).append(number)
    for length, group in groups.items():
        for at in range(0, len(group), rows):
            which = group[at : at + rows]
            yield which, *_padded([sources[number] for number in which], rows=rows, length=length)


def _padded_to(length: int) -> int:
    return max(_SHORTEST, _power_of_two(length))


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _padded(
    sequences: Sequence[NDArray[np.int32]], *, rows: int, length: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Sequences as rows of ids, and where these are; rows beyond them are empty."""
    lengths = np.zeros(rows, np.int64)
    lengths[: len(sequences)] = [len(sequence) for sequence in sequences]
    empty = [np.zeros(0, np.int32)] * (rows - len(sequences))
    return pad_sequences([*sequences, *empty], length=length), padding_mask(lengths, length=length)
