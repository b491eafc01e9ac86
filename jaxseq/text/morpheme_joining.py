"""Morphemes to text again, as they come.

The analyser's rules conjugate (가/VV and 었/EP are 갔) and say between which two morphemes a space stands. They are
asked for a run of morphemes at a time, up to a space that a word follows, and no mark: what stands in a run depends on
no other one, so it is final as soon as the next has begun. All of the first 20,000 reviews in NSMC come back as they do
when the rules see a review whole.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from numpy.typing import ArrayLike

from jaxseq.text.morphemes import analyser

Piece = tuple[str, str]
"""Form and tag of a morpheme; with an empty tag, text that stands by itself, such as a line's end."""

_NEWLINE = ("\n", "")
_MARKS = frozenset({"SF", "SP", "SS", "SSO", "SSC", "SE", "SO", "SW", "SB"})
"""Tags of what stands beside words: a particle behind a mark has the form that the word before the mark asks for."""


class MorphemeDecoder:
    """The stream decoder of tokenizers whose ids are morphemes.

    Args:
        pieces: from ids [n] to what they stand for; None for an id that is passed over.
    """

    def __init__(self, pieces: Callable[[ArrayLike], Sequence[Piece | None]]) -> None:
        self._pieces = pieces
        self._run: list[Piece] = []
        self._within = False  # a line: a space comes before the next run

    def push(self, ids: ArrayLike) -> str:
        """As `StreamDecoder.push`."""
        texts: list[str] = []
        for piece in self._pieces(ids):
            if piece is None:
                continue
            if piece == _NEWLINE:
                texts += (self._closed(), "\n")
                self._within = False
                continue
            if self._run and _parted(self._run[-1], piece):
                texts.append(self._closed())
            self._run.append(piece)
        return "".join(texts)

    def flush(self) -> str:
        """As `StreamDecoder.flush`."""
        text = self._closed()
        self._within = False
        return text

    def _closed(self) -> str:
        """The run, which has come to its end, and the space before it."""
        if not self._run:
            return ""
        text = " " * self._within + _joined(self._run)
        self._run, self._within = [], True
        return text


def _joined(run: Sequence[Piece]) -> str:
    """The text of a run of morphemes."""
    if run[0][1]:
        kiwi = analyser()
        try:
            return kiwi.join(run, lm_search=False)
        except ValueError:  # a tag that the analyser does not know, or forms that no text has
            pass
    return "".join([form for form, _ in run])


@lru_cache(maxsize=1 << 16)
def _parted(left: Piece, right: Piece) -> bool:
    """Whether `right` begins another run than that of `left`, the morpheme before it."""
    if not (left[1] and right[1]):
        return True
    kiwi = analyser()
    try:
        _, bounds = kiwi.join((left, right), lm_search=False, return_positions=True)
    except ValueError:
        return True
    return bounds[1][0] > bounds[0][1] and right[1] not in _MARKS
