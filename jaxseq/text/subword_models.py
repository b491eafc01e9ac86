"""What models of the library `tokenizers` are trained and applied with, whatever their kind."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxseq.errors import InputError
from jaxseq.text.chunks import Chunking, Encoded
from jaxseq.text.codepoints import CHUNK
from jaxseq.text.common import utf8_of
from jaxseq.text.normalize import Normalizer


def parts_of(
    text: str | Iterable[str], normalizer: Normalizer, chunking: Chunking, *, size: int = CHUNK
) -> Iterator[str]:
    """All of `text`, normalised, in parts of about `size` characters that begin where a chunk does.

    Lines of any length are read so: a trainer shares the parts among its threads, and none is too long for it.
    """
    for one in [text] if isinstance(text, str) else text:
        whole = normalizer(one)
        utf8_of(whole)
        start = 0
        while start < len(whole):
            found = chunking.boundary.search(whole, start + size)
            end = found.start() if found else len(whole)
            yield whole[start:end]
            start = end


def count_chunks(text: str | Iterable[str], normalizer: Normalizer, chunking: Chunking) -> Counter[str]:
    """How often each chunk occurs in `text`, normalised: all that a training needs, in the memory of the distinct ones.

    Raises:
        InputError: there is no text.
    """
    counts: Counter[str] = Counter()
    for part in parts_of(text, normalizer, chunking):
        counts.update(chunking.chunk.findall(part))
    if not any(chunk.strip() for chunk in counts):
        raise InputError("there is no word to train a tokenizer on: the text is empty, or all of it white space")
    return counts


def learned(model: Any) -> dict[str, Any]:
    """The fields of the model of a trained `tokenizers.Tokenizer`, and its "pieces" by id."""
    fields = json.loads(model.to_str())["model"]
    return {**fields, "pieces": tuple(sorted(fields["vocab"], key=fields["vocab"].__getitem__))}


def encode_words(model: Any, words: Sequence[str], *, first_id: int, spans: bool) -> Encoded:
    """The ids of words, each read by itself, as a `tokenizers.Tokenizer` gives them from `first_id` on."""
    found = model.encode(words, is_pretokenized=True, add_special_tokens=False)
    ids = np.array(found.ids, np.int32)
    ids += first_id
    sizes = np.bincount(np.array(found.word_ids, np.intp), minlength=len(words))
    return Encoded(ids, sizes, np.array(found.offsets, np.int64).reshape(-1, 2) if spans else None)


def refuse_few_ids(size: int, *, needed: int, what: str) -> None:
    """Raises:
    InputError: `size` is less than `needed`, which is the number of `what`.
    """
    if size < needed:
        raise InputError(f"size is {size}, and {what} have {needed} ids: give {needed} or more")
