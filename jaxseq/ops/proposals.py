"""Words drawn in place of a whole vocabulary, as a sampled loss compares with.

A draw has no word twice, and a word's chance to be in it is exact, whatever the number of words: the chances, in
proportion to a distribution but none above 1, lie end to end on a line, and points at distance 1 from a random start
pick the words that they fall on (systematic sampling; Madow 1949, "On the theory of systematic sampling II"). So the
most frequent words, whose chance is 1, are in every draw. TensorFlow's samplers without replacement draw until they
have as many as asked for, and know the chances only given the number of attempts; with replacement the most frequent
words would come up again and again.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32, Int, Int32, PRNGKeyArray, UInt32

from jaxseq.ops.shapes import Array


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Proposal:
    """How words are drawn; equal and hashed by content.

    Attributes:
        widths: Each word's chance, in units of 2^-k with the largest k for which the sum of all fits into int32.
        samples: Words in a draw.
    """

    widths: Int[np.ndarray, " v"]
    samples: int

    @classmethod
    def of(cls, probabilities: Float[np.ndarray, " v"], *, samples: int) -> "Proposal":
        """Chances in proportion to `probabilities` as far as none is above 1.

        Raises:
            ValueError: there are fewer words than samples, or some have no chance.
        """
        size = len(probabilities)
        if not 0 < samples <= size:
            raise ValueError(f"{samples} of {size} words cannot be drawn: ask for 1 to {size}")
        unit = _unit(samples)
        certain = np.full(size, samples == size)
        while not certain.all():
            scale = (samples - certain.sum()) / probabilities[~certain].sum()
            more = ~certain & (scale * probabilities >= 1)
            if not more.any():
                break
            certain |= more
        widths = np.full(size, unit)
        if not certain.all():
            # Rounding the ends, not the widths, keeps their sum.
            ends = np.cumsum(probabilities[~certain])
            widths[~certain] = np.diff(np.rint(ends / ends[-1] * ((samples - certain.sum()) * unit)), prepend=0)
        if not widths.all():
            raise ValueError(
                f"{(widths == 0).sum()} of {size} words are too rare to be drawn: take more samples than {samples}, or "
                "probabilities nearer to each other"
            )
        return cls(widths, samples)

    @classmethod
    def log_uniform(cls, size: int, *, samples: int) -> "Proposal":
        """Chances in proportion to log((id + 2) / (id + 1)), about those of Zipf's law for ids sorted by frequency."""
        return cls.of(np.diff(np.log(np.arange(1, size + 2))), samples=samples)

    @classmethod
    def unigram(cls, counts: Int[np.ndarray, " v"], *, samples: int, power: float = 0.75) -> "Proposal":
        """Chances in proportion to counts to a power (Mikolov et al. 2013), a count of 0 taken for 1."""
        return cls.of(np.maximum(counts, 1).astype(np.float64) ** power, samples=samples)

    @property
    def chances(self) -> Float[np.ndarray, " v"]:
        """Each word's chance to be in a draw, which is its expected count."""
        return self.widths / _unit(self.samples)

    def log_expected(self) -> Float32[Array, " v"]:
        """Logarithm of each word's expected count in a draw."""
        return jnp.asarray(np.log(self.chances), jnp.float32)

    def draw(self, key: PRNGKeyArray) -> Int32[Array, " {self.samples}"]:
        """Ids, sorted and no two alike."""
        start = jax.random.randint(key, (), 0, _unit(self.samples), jnp.int32)
        return self.at(start)

    def of_bits(self, bits: UInt32[Array, "*n"]) -> Int32[Array, "*n {self.samples}"]:
        """The ids of a draw for each of some random numbers, of which all are as likely."""
        return self.at((bits >> (33 - _unit(self.samples).bit_length())).astype(jnp.int32))

    def at(self, start: Int[Array, "*n"]) -> Int32[Array, "*n {self.samples}"]:
        """The ids that a draw from each start, 0 to 2^k - 1, gives."""
        points = start[..., None] + jnp.arange(self.samples, dtype=jnp.int32) * _unit(self.samples)
        ends = jnp.asarray(np.cumsum(self.widths), jnp.int32)
        return jnp.searchsorted(ends, points, side="right").astype(jnp.int32)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Proposal) and self.samples == other.samples and np.array_equal(self.widths, other.widths)
        )

    def __hash__(self) -> int:
        return hash((self.samples, self.widths.tobytes()))

    def __repr__(self) -> str:
        return f"Proposal({self.samples} of {len(self.widths)} words)"


def _unit(samples: int) -> int:
    """Units to a chance of 1."""
    return 1 << ((2**31 - 1) // samples).bit_length() - 1
