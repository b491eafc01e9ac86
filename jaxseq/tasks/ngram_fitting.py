"""Counts in place of a training: an n-gram model fitted to the tokens of a split at once."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxseq.data.backoff import BackoffTables
from jaxseq.data.kneser_ney import estimate_kneser_ney
from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.interop.arpa import arpa_names, arpa_pieces
from jaxseq.models.ngram import NGram
from jaxseq.tasks.capabilities import Export, Fitted
from jaxseq.tasks.token_splits import TrainingTokens
from jaxseq.text.lined import LineTokenizer
from jaxseq.text.tokenizers import Tokenizer
from jaxseq.text.vocab import UNKNOWN


def fit_ngrams(model: NGram, tokens: TrainingTokens, *, silent: Collection[int]) -> Fitted:
    """The tables of `model`, counted in `tokens` and smoothed (modified Kneser-Ney, interpolated).

    Args:
        silent: ids that no text has.

    Raises:
        InputError: an id is outside the vocabulary.
    """
    counts = count_ngrams(
        tokens.ids,
        order=model.order,
        vocabulary_size=model.vocabulary_size,
        starts=tokens.starts,
        begin=tokens.begin,
    )
    estimate = estimate_kneser_ney(counts, excluded=[id for id in silent if id != tokens.begin])
    sizes = [f"{len(each.words):,}" for each in estimate.tables.grams]
    told = [f"n-grams of 1 to {model.order} tokens: {', '.join(sizes)}; {estimate.tables.nbytes / 2**20:,.1f} MiB"]
    if estimate.remark:
        told.append(estimate.remark)
    return Fitted({"params": estimate.tables.params()}, told)


def arpa_exports(params: Any, tokenizer: Tokenizer) -> dict[str, Export]:
    """An n-gram model as an ARPA file, whose words are those of `tokenizer`."""
    tables = BackoffTables.from_params(jax.tree.map(np.asarray, params))
    begin, end = (tokenizer.start, tokenizer.end) if isinstance(tokenizer, LineTokenizer) else (None, None)
    symbols: Sequence[str] = tokenizer.vocabulary.symbols
    names = arpa_names(symbols, begin=begin, end=end, unknown=_unknown(tokenizer))
    count = sum(len(each.words) for each in tables.grams)
    return {".arpa": Export(f"{count:,} n-grams are", partial(arpa_pieces, tables, names))}


def _unknown(tokenizer: Tokenizer) -> int | None:
    """The id of unknown words, where there is one for all."""
    inner: Any = tokenizer.inner if isinstance(tokenizer, LineTokenizer) else tokenizer
    specials = inner.vocabulary.specials
    return specials.index(UNKNOWN) if UNKNOWN in specials else None
