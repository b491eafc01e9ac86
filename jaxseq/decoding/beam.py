"""What beam search is asked for, checked; and the same as arguments of a compiled function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import ArrayLike as NumPyLike
from numpy.typing import NDArray

from jaxseq.decoding.filters import Filters, Sampling
from jaxseq.errors import InputError

_STEEPEST = 10.0
"""Bound of the length penalty's exponent: penalties are ordinary numbers of float32."""


@dataclass(frozen=True)
class Beam:
    """How beam search goes, and what it ranks by. A hypothesis has |y| tokens: `<end>` counts, padding does not.

    Raises:
        InputError: a value is out of its range.
    """

    size: int = 5
    """Hypotheses that go on at every step; 1 is a greedy search."""
    n_best: int = 1
    """Hypotheses returned for a row, best first; at most `size`."""
    length_penalty: float = 0.0
    """Log-probabilities are divided by ((5 + |y|) / 6) to this power: above 0 longer hypotheses, below 0 shorter ones
    (Wu et al. 2016, equation 14, alpha). 0 ranks by probability."""
    coverage_penalty: float = 0.0
    """This times the sum, over the tokens of the source, of log(min(attention it got, 1)) is added (Wu et al. 2016,
    beta); 0 is none."""
    min_length: int = 1
    """Tokens of the shortest hypothesis that may end."""
    no_repeat: int = 0
    """No n-gram of this many tokens comes twice; 0 allows all."""
    forbidden: tuple[int, ...] = ()
    """Ids of tokens that are never chosen; the others keep their probabilities."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"a beam of {self.size} hypotheses finds nothing: give 1 (a greedy search) or more")
        if not 1 <= self.n_best <= self.size:
            raise InputError(
                f"the {self.n_best} best of a beam of {self.size} hypotheses cannot be given: "
                f"ask for 1 to {self.size}, or widen the beam"
            )
        if not abs(self.length_penalty) <= _STEEPEST:
            raise InputError(
                f"the length penalty is {self.length_penalty}: give a number from {-_STEEPEST:g} to {_STEEPEST:g}"
            )
        if not 0 <= self.coverage_penalty < np.inf:
            raise InputError(f"the coverage penalty is {self.coverage_penalty}: give a number above 0, or 0 for none")
        if self.min_length < 1:
            raise InputError(f"the minimum length is {self.min_length} tokens: give 1 or more, <end> counts")
        if self.no_repeat < 0:
            raise InputError(f"no_repeat is {self.no_repeat}: give a number of tokens above 0, or 0 to allow all")


PLAIN_BEAM = Beam()
"""Five hypotheses wide, ranked by probability."""


class Rules(NamedTuple):
    """What of a `Beam` is a number: leaves are traced, None is what is off. The same for every row."""

    end: ArrayLike
    """int32 scalar, the id of `<end>`."""
    min_length: ArrayLike
    """int32 scalar."""
    length_penalties: ArrayLike
    """[T + 1] float32: what the log-probability of a hypothesis of each length is divided by."""
    coverage: ArrayLike | None
    """float32 scalar."""
    forbidden: ArrayLike | None
    """[v] bool."""

    @classmethod
    def of(cls, beam: Beam, *, end: int, capacity: int, vocabulary_size: int) -> "Rules":
        """`beam` for hypotheses of up to `capacity` tokens.

        Raises:
            InputError: there is no such token as `end`, or as one that is forbidden, or all are.
        """
        if not 0 <= end < vocabulary_size:
            raise InputError(f"token {end} is to end hypotheses: the ids go from 0 to {vocabulary_size - 1}")
        forbidden = Filters.of(Sampling(forbidden=beam.forbidden), vocabulary_size=vocabulary_size).forbidden
        # In float64, so that rounded to float32 they rise or fall as they should: bounds rest on that.
        penalties = ((5 + np.arange(capacity + 1)) / 6) ** np.float64(beam.length_penalty)
        return cls(
            np.int32(end),
            np.int32(beam.min_length),
            penalties.astype(np.float32),
            np.float32(beam.coverage_penalty) if beam.coverage_penalty else None,
            forbidden,
        )

    @property
    def capacity(self) -> int:
        """T, tokens that there is room for."""
        return np.shape(self.length_penalties)[0] - 1

    def normalised(self, log_probabilities: Array, length: ArrayLike) -> Array:
        """Log-probabilities over the penalty of a length, which has one axis for each of theirs or is a scalar."""
        return log_probabilities / jnp.asarray(self.length_penalties)[length]

    def bound(self, log_probabilities: Array, made: Array, most: Array) -> Array:
        """What no hypothesis [b, ...] can score above once it ends, `made` tokens of at most `most` [b] being made.

        Its log-probability L <= 0 only falls, rounded too, and the coverage penalty is never above 0. Length penalties
        rise all the way or fall all the way, so of L over that of any length that is still possible the highest is the
        one of the shortest or of the longest, whatever the sign.
        """
        shortest = jnp.minimum(jnp.maximum(made + 1, self.min_length), most)
        shape = (-1,) + (1,) * (log_probabilities.ndim - 1)
        ends = (self.normalised(log_probabilities, length.reshape(shape)) for length in (shortest, most))
        return jnp.maximum(*ends)


def checked_lengths(max_length: NumPyLike, count: int) -> NDArray[np.int32]:
    """Maximum lengths [count] int32 from one for each row, or one for all.

    Raises:
        InputError: there is not one for each row, or one is below 1.
    """
    most = np.asarray(max_length)
    if most.shape not in ((), (count,)):
        raise InputError(f"maximum lengths of shape {list(most.shape)} do not fit {count} rows: give one a row")
    most = np.broadcast_to(most, count).astype(np.int32)
    if most.min() < 1:
        raise InputError(f"the maximum length of row {most.argmin()} is {most.min()} tokens: give 1 or more")
    return most


class Rows(NamedTuple):
    """What beam search is told of each row; None is what there is not."""

    max_length: ArrayLike
    """[b] int32: tokens of the longest hypothesis."""
    prefix: ArrayLike | None
    """[b, p] int32: what every hypothesis begins with."""
    prefix_length: ArrayLike | None
    """[b] int32: how much of it."""
    source_mask: ArrayLike | None
    """[b, s] bool: where the source has tokens to be covered."""

    @classmethod
    def of(
        cls,
        count: int,
        *,
        max_length: NumPyLike,
        end: int,
        vocabulary_size: int,
        prefix: Sequence[Sequence[int]] | None = None,
        source_mask: ArrayLike | None = None,
    ) -> "Rows":
        """Rows [count], a number being meant for all of them and `prefix` being a list of ids for each.

        Raises:
            InputError: a length is below 1 or does not reach to the end of the prefix, a number does not fit that of
                rows, or a prefix holds `<end>` or what is no token.
        """
        most = checked_lengths(max_length, count)
        if prefix is None:
            return cls(most, None, None, source_mask)
        if len(prefix) != count:
            raise InputError(f"{len(prefix)} prefixes do not fit {count} rows: give one a row, [] for none")
        lengths = np.array([len(ids) for ids in prefix], np.int32)
        width = 1 << max(int(lengths.max(initial=1)) - 1, 0).bit_length()
        padded = np.zeros((count, width), np.int32)
        for row, ids in enumerate(prefix):
            padded[row, : len(ids)] = ids
            if len(ids) > most[row]:
                raise InputError(
                    f"the prefix of row {row} has {len(ids)} tokens, its longest hypothesis {most[row]}: "
                    "raise the maximum length"
                )
            for token in ids:
                if token == end:
                    raise InputError(
                        f"the prefix of row {row} holds token {end}, which ends a hypothesis: leave it out"
                    )
                if not 0 <= token < vocabulary_size:
                    raise InputError(
                        f"the prefix of row {row} holds token {token}: the ids go from 0 to {vocabulary_size - 1}"
                    )
        return cls(most, padded, lengths, source_mask)
