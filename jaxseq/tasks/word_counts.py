"""The artifact that holds how often each word occurs in what is trained on."""

import json

from jaxseq.errors import InputError

COUNTS = "counts.json"
"""Its name."""


def read_counts(content: bytes, size: int) -> tuple[int, ...]:
    """The counts of `size` words.

    Raises:
        InputError: it holds something else.
    """
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{COUNTS} is no JSON: it was changed by hand") from error
    if not isinstance(tree, list) or len(tree) != size or not all(type(n) is int and n >= 0 for n in tree):
        raise InputError(f"{COUNTS} is no list of {size:,} counts, one a word: it was changed by hand")
    return tuple(tree)
