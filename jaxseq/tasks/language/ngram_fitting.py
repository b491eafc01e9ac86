"""Counts in place of a training: an n-gram model fitted to the tokens of a split at once."""

from collections.abc import Collection

from jaxseq.data.backoff import BackoffTables
from jaxseq.data.kneser_ney import estimate_kneser_ney
from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.models.ngram import NGram
from jaxseq.tasks.capabilities import Fitted
from jaxseq.tasks.language.token_splits import TrainingTokens


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
    return fitted_tables(estimate.tables, estimate.remark)


def fitted_tables(tables: BackoffTables, remark: str | None = None) -> Fitted:
    """Tables as what has been fitted, with how large they are, and a remark."""
    sizes = [f"{len(each.words):,}" for each in tables.grams]
    told = [f"n-grams of 1 to {tables.order} tokens: {', '.join(sizes)}; {tables.nbytes / 2**20:,.1f} MiB"]
    return Fitted({"params": tables.params()}, [*told, remark] if remark else told)
