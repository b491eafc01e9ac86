"""What stands around a text for an encoder of BERT's kind: [CLS] before it and [SEP] behind it."""

import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.text.masked_tokenizer import SEPARATOR, START, MaskedTokenizer
from jaxseq.text.tokenizers import Tokenizer, encode_each, tokenizer_from_text

AnyTokenizer = Tokenizer | MaskedTokenizer


class Delimiters(NamedTuple):
    """Ids that stand around a text."""

    start: int
    """That of [CLS]."""
    separator: int
    """That of [SEP]."""


def delimiters_of(tokenizer: AnyTokenizer) -> Delimiters | None:
    """Those that a tokenizer has, which no text does; None where it has none."""
    if isinstance(tokenizer, MaskedTokenizer):
        return Delimiters(tokenizer.start, tokenizer.separator)
    silent = set(getattr(tokenizer, "silent_ids", ()))
    vocabulary = tokenizer.vocabulary
    ids = [vocabulary.id_of(name) for name in (START, SEPARATOR) if name in vocabulary]
    return Delimiters(*ids) if len(ids) == 2 and silent.issuperset(ids) else None


def delimited(tokenizer: Tokenizer) -> AnyTokenizer:
    """The tokenizer with delimiters: as it is where it has them, or else with ids for them, as a masked language model
    of the same texts has."""
    return tokenizer if delimiters_of(tokenizer) is not None else MaskedTokenizer(tokenizer)


def base_of(tokenizer: AnyTokenizer) -> Tokenizer:
    """What reads the text itself."""
    return tokenizer.base if isinstance(tokenizer, MaskedTokenizer) else tokenizer


def encode_all(tokenizer: AnyTokenizer, texts: Iterable[str]) -> Iterable[NDArray[np.int32]]:
    """The ids of each text, without delimiters.

    Raises:
        UnknownSymbolError: as the tokenizer's `encode`.
    """
    if isinstance(tokenizer, MaskedTokenizer):
        return tokenizer.encode_each(texts)
    return encode_each(tokenizer, texts)


def any_tokenizer_from_text(content: str | bytes) -> AnyTokenizer:
    """The tokenizer in a tokenizer.json of a run, that of a masked language model included.

    Raises:
        InputError: it holds none.
    """
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        tree = None
    if isinstance(tree, dict) and "base" in tree and "kind" not in tree:
        return MaskedTokenizer.from_json(tree)
    return tokenizer_from_text(content)
