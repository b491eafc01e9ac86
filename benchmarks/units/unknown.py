"""What texts hold that a vocabulary lacks."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from jaxseq.text.tagged import read_token
from jaxseq.text.tokenizers import Tokenizer
from jaxseq.text.vocab import UNKNOWN
from jaxseq.text.words import WordTokenizer

CODE_POINT_BITS = math.log2(0x110000)
"""Of one code point among all that Unicode has room for."""


class TokenCounts(NamedTuple):
    """How many tokens texts have."""

    tokens: int
    unknown: int
    """Those that stand for any symbol that the vocabulary lacks."""
    unknown_characters: int
    """What it takes to spell these: a character or jamo is one, a morpheme has those of its form and an end."""


def count_tokens(tokenizer: Tokenizer, texts: Iterable[str]) -> TokenCounts:
    """Those of all `texts`; where the tokenizer is one of words, these are tagged morphemes."""
    specials = tokenizer.vocabulary.specials
    unknown_id = tokenizer.vocabulary.id_of(UNKNOWN) if UNKNOWN in specials else None
    counts = [_counted(tokenizer, text, unknown_id) for text in texts]
    return TokenCounts(*map(sum, zip(*counts, strict=True)))


def _counted(tokenizer: Tokenizer, text: str, unknown_id: int | None) -> TokenCounts:
    ids = tokenizer.encode(text)
    unknown = 0 if unknown_id is None else int((ids == unknown_id).sum())
    if unknown == 0 or not isinstance(tokenizer, WordTokenizer):
        return TokenCounts(len(ids), unknown, unknown)
    lacking = set(tokenizer.unknown_words(text))
    spelled = sum(len(read_token(word)[0]) + 1 for word in tokenizer.split(text) if word in lacking)
    return TokenCounts(len(ids), unknown, spelled)
