"""Which tokens of a text are hidden from a model that learns to find them, and what stands in their places.

As in BERT (Devlin et al. 2019) 15 % of a text's tokens are chosen. Of these 80 % become the mask, 10 % another token at
random, and 10 % stay what they are, so that a model has to know each token that it sees, too.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxseq.data.draws import MASKS, draws, happens, limit_of, places
from jaxseq.errors import InputError

_DEVIATIONS = 3
_LAST = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Masking:
    """How tokens are chosen, and what is made of them.

    Args:
        mask_id: the mask.
        vocabulary_size: tokens are ids below it.
        specials: ids that are never chosen, and never stand in for another: padding, the mask (which need not be
            named), what begins and ends a text, the unknown word, and what no text holds.
        share: the share of a text's tokens that is chosen.
        masked: the share of the chosen tokens that the mask stands in for.
        random: the share of them that another token stands in for, each of the vocabulary but `specials` with the same
            chance, the token itself among them. What is left stays.
        choice: "coin" tosses one for each token, as Hugging Face's collator does: of texts of any length the same share
            is chosen, of a short one often nothing. So that a head can look at few columns there is a limit (`most`);
            beyond it those are let go that were chosen most narrowly. "number" chooses as many of a text as its share
            comes to, rounded, and one at the least, as Google's BERT does: nothing is wasted on a text without any, and
            a head has the least to do, but of a text of 3 tokens a third is hidden.

    Raises:
        InputError: a share is not one, or the ids leave nothing to stand in at random.
    """

    mask_id: int
    vocabulary_size: int
    specials: tuple[int, ...]
    share: float = 0.15
    masked: float = 0.8
    random: float = 0.1
    choice: Literal["coin", "number"] = "coin"

    def __post_init__(self) -> None:
        for name, share in (("share", self.share), ("masked", self.masked), ("random", self.random)):
            if not 0 <= share <= 1:
                raise InputError(f"{name} of masking is {share}: give a share from 0 to 1")
        if self.masked + self.random > 1 + 1e-9:
            raise InputError(f"masked and random are {self.masked} and {self.random}: they add up to 1 at the most")
        if self.choice not in ("coin", "number"):
            raise InputError(f"choice of masking is {self.choice!r}: give coin or number")
        for name, value in (("mask", self.mask_id), *(("special token", special) for special in self.specials)):
            if not 0 <= value < self.vocabulary_size:
                raise InputError(f"the id of a {name} is {value}: ids go from 0 to {self.vocabulary_size - 1}")
        if self.random and not len(self.replacements):
            raise InputError("each id is that of a special token: none is left to stand in at random, set random to 0")

    @cached_property
    def is_special(self) -> NDArray[np.bool_]:
        """[v] which ids are never chosen and never stand in."""
        special = np.zeros(self.vocabulary_size, bool)
        special[[self.mask_id, *self.specials]] = True
        return special

    @cached_property
    def replacements(self) -> NDArray[np.int32]:
        """The ids that may stand in at random, ascending."""
        return np.flatnonzero(~self.is_special).astype(np.int32)

    def most(self, counts: ArrayLike) -> NDArray[np.int64]:
        """How many of so many tokens are chosen at the most, of the shape of `counts`; of more tokens never fewer.

        With coins that is three standard deviations above the mean, rounded up: of 800 tokens that 15 % choose one is
        let go at the most, and in texts of 60 tokens and more one of 3,500.
        """
        counts = np.asarray(counts, np.int64)
        if self.choice == "coin":
            spread = np.sqrt(counts * self.share * (1 - self.share))
            # A product that should be whole may come out a little above.
            found = np.ceil(self.share * counts + _DEVIATIONS * spread - 1e-9)
        else:
            found = np.maximum(np.floor(self.share * counts + 0.5), self.share > 0)
        return np.minimum(counts, found.astype(np.int64))


class Masked(NamedTuple):
    """Texts with hidden tokens."""

    tokens: NDArray[np.int32]
    """[b, t] what a model is given."""
    chosen: NDArray[np.bool_]
    """[b, t] the tokens to be found, those that stayed what they are included."""
    targets: NDArray[np.int32]
    """[b, t] what stood there; 0 where `chosen` is False."""


def mask_tokens(
    tokens: NDArray[np.int32],
    *,
    maskable: NDArray[np.bool_],
    masking: Masking,
    numbers: ArrayLike,
    seed: int,
    epoch: int,
) -> Masked:
    """Hides tokens [b, t] of the texts with these `numbers` [b].

    What is hidden in a text follows from its tokens, its number, `seed` and `epoch` alone: not from the other rows, nor
    from how many columns of padding stand behind it.

    Args:
        maskable: [b, t] where a token may be chosen; False on padding, and on what is not to be found. Tokens there are
            not looked at. `masking.specials` are never chosen in any case.
    """
    steps = tokens.shape[1]
    bits = draws(numbers, 2 * steps, seed=seed, epoch=epoch, stream=MASKS).reshape(*tokens.shape, 2)
    maskable = maskable & ~masking.is_special[np.where(maskable, tokens, 0)]
    chosen = _chosen(bits[..., 0], maskable, masking)
    hidden, truth = tokens.copy(), tokens[chosen]
    hidden[chosen] = _stand_ins(truth, bits[..., 1][chosen], masking)
    return Masked(hidden, chosen, np.where(chosen, tokens, 0))


def chosen_positions(chosen: NDArray[np.bool_], most: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The columns that are chosen in each row, ascending, and where there is one: [b, most], 0 and False elsewhere.

    Raises:
        ValueError: more than `most` are chosen in a row.
    """
    counts = chosen.sum(axis=1)
    if counts.max(initial=0) > most:
        raise ValueError(f"{counts.max()} tokens of a row are chosen, and there is room for {most}")
    there = np.arange(most) < counts[:, None]
    positions = np.zeros(there.shape, np.int32)
    positions[there] = np.nonzero(chosen)[1]  # row by row, as `there` is filled
    return positions, there


def _chosen(bits: NDArray[np.uint64], maskable: NDArray[np.bool_], masking: Masking) -> NDArray[np.bool_]:
    """[b, t] the tokens with the lowest numbers drawn."""
    steps = maskable.shape[1]
    # With their columns in the lowest bits no two numbers of a row are equal.
    below = np.uint64(2 ** max(steps - 1, 0).bit_length() - 1)
    keys = np.where(maskable, (bits & ~below) | np.arange(steps, dtype=np.uint64), _LAST)
    wanted = masking.most(maskable.sum(axis=1))
    if masking.choice == "coin":
        heads = happens(keys, limit_of(masking.share)) & maskable
        wanted = np.minimum(wanted, heads.sum(axis=1))
    ranked = np.sort(keys, axis=1)
    highest = np.take_along_axis(ranked, np.maximum(wanted - 1, 0)[:, None], axis=1)
    return maskable & (keys <= highest) & (wanted > 0)[:, None]


def _stand_ins(truth: NDArray[np.int32], bits: NDArray[np.uint64], masking: Masking) -> NDArray[np.int32]:
    """What a model is given for each of the chosen tokens [n]."""
    given = truth
    if len(masking.replacements):
        drawn = masking.replacements[places(bits, len(masking.replacements))]
        given = np.where(happens(bits, limit_of(min(1.0, masking.masked + masking.random))), drawn, truth)
    return np.where(happens(bits, limit_of(masking.masked)), np.int32(masking.mask_id), given)
