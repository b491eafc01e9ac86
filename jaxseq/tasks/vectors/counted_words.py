"""Words and how often each occurs in what is trained on, as artifacts."""

import json
from collections.abc import Mapping, Sequence

from jaxseq.errors import InputError
from jaxseq.text.tokenizers import Tokenizer, tokenizer_from_text

TOKENIZER, COUNTS = "tokenizer.json", "counts.json"


def write_counted_words(tokenizer: Tokenizer, counts: Sequence[int]) -> dict[str, bytes]:
    """The artifacts that hold the tokenizer of the words, and their counts."""
    trees = {TOKENIZER: tokenizer.to_json(), COUNTS: list(counts)}
    return {name: (json.dumps(tree, ensure_ascii=False) + "\n").encode() for name, tree in trees.items()}


def read_counted_words(artifacts: Mapping[str, bytes]) -> tuple[Tokenizer, tuple[int, ...]]:
    """Inverse of `write_counted_words`; there may be other artifacts.

    Raises:
        InputError: one is missing, or holds something else.
    """
    for name in (TOKENIZER, COUNTS):
        if name not in artifacts:
            raise InputError(f"there is no {name}")
    tokenizer = tokenizer_from_text(artifacts[TOKENIZER])
    return tokenizer, _counts(artifacts[COUNTS], tokenizer.vocabulary_size)


def _counts(content: bytes, size: int) -> tuple[int, ...]:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{COUNTS} is no JSON: it was changed by hand") from error
    if not isinstance(tree, list) or len(tree) != size or not all(type(n) is int and n >= 0 for n in tree):
        raise InputError(f"{COUNTS} is no list of {size:,} counts, one a word: it was changed by hand")
    return tuple(tree)
