"""Captions as token ids, which pictures they belong to, and which are too long to train on."""

from typing import NamedTuple, Self

import numpy as np

from jaxseq.data.captions import Captioned
from jaxseq.data.examples import Sequences, join_sequences, take_sequences
from jaxseq.errors import InputError
from jaxseq.text.caption_tokenizer import CaptionTokenizer


class CaptionTokens(NamedTuple):
    """The ids of all captions of some pictures."""

    places: np.ndarray
    """[k] int64: the number of each caption's picture."""
    captions: Sequences
    """Each from the name of its language to its end."""

    @property
    def lengths(self) -> np.ndarray:
        """Tokens that are to be written of each caption, its end included: [k] int64."""
        return self.captions.lengths - 1

    def within(self, longest: int) -> Self:
        """Those captions that have no more tokens, to train on.

        Raises:
            InputError: there is none.
        """
        fits = self.lengths <= longest
        if not fits.any():
            raise InputError(
                f"all {len(fits):,} captions to train on have more than {longest} tokens: raise --data.longest"
            )
        return (
            self
            if fits.all()
            else self._replace(places=self.places[fits], captions=take_sequences(self.captions, fits))
        )

    def longer(self, longest: int) -> str:
        """How many captions `within` leaves out, in words, and the length of the first; empty where there is none."""
        out = np.flatnonzero(self.lengths > longest)
        if not len(out):
            return ""
        return (
            f"{len(out):,} of {len(self.lengths):,} captions are left out of training, which have more than {longest} "
            f"tokens; the first one, caption {out[0] + 1:,}, has {self.lengths[out[0]]}"
        )


def encode_captions(tokenizer: CaptionTokenizer, captioned: Captioned) -> CaptionTokens:
    """The ids of all captions, picture by picture.

    Raises:
        InputError: a caption is in another language than those of the tokenizer.
        UnknownSymbolError: one has a symbol without id; which one is told.
    """
    places = np.repeat(np.arange(len(captioned.captions)), [len(some) for some in captioned.captions])
    ids = tokenizer.encode_each([caption for some in captioned.captions for caption in some])
    return CaptionTokens(places, join_sequences(ids))
