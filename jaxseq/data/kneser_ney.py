"""Interpolated Kneser-Ney smoothing: n-gram counts become probabilities.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling": a discount is taken from each
count, and what all of them leave is shared out as the next lower order says. Lower orders count how many different
tokens an n-gram stands behind, not how often it occurs. As KenLM's lmplz estimates (Heafield et al. 2013).
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.data.backoff import BackoffTables, backoff_tables
from jaxseq.data.ngram_counts import GramCounts, NGramCounts
from jaxseq.errors import InputError


class Discounts(NamedTuple):
    """What is taken from a count of one, of two, and of three or more; at most as much as there is."""

    one: float
    two: float
    more: float


FALLBACK = Discounts(0.5, 1.0, 1.5)
"""What KenLM's `--discount_fallback` takes."""


class KneserNey(NamedTuple):
    """An estimated model."""

    tables: BackoffTables
    discounts: tuple[Discounts, ...]
    """Of each order, the lowest first."""
    remark: str | None
    """One line on discounts that the counts did not give; None where they gave all."""


def estimate_kneser_ney(
    counts: NGramCounts,
    *,
    excluded: Collection[int] = (),
    discounts: Sequence[tuple[float, float, float]] | None = None,
) -> KneserNey:
    """The model of these counts.

    Every id but `excluded` and the begin symbol has a probability above 0 after every context, and they sum to 1: the
    unigrams are interpolated with the uniform distribution. That of the others is 0.

    Args:
        excluded: ids that no text has, as that of padding.
        discounts: of each order, the lowest first; estimated unless given, and `FALLBACK` where the counts are too few
            or too odd for that, which the remark says. With 0 for unigrams nothing is left for what never occurs.

    Raises:
        InputError: an excluded id occurs or is none, no id is left, or a discount is more than the count.
    """
    grams = [*counts.orders]
    possible = _possible(counts, excluded)
    grams[0] = grams[0]._replace(lefts=np.where(possible, grams[0].lefts, 0))
    if discounts is None:
        estimated = [estimated_discounts(each.lefts) for each in grams]
        chosen = tuple(FALLBACK if each is None else each for each in estimated)
        remark = _remark([k for k, each in enumerate(estimated, 1) if each is None])
    else:
        chosen, remark = _checked(discounts, counts.order), None
    probabilities, backoffs = [np.where(possible, 1 / possible.sum(), 0.0)], []
    for k, (each, given) in enumerate(zip(grams, chosen, strict=True), 1):
        size = 1 if k == 1 else len(grams[k - 2].words)
        own, left = _discounted(each, given, contexts=size)
        lower = probabilities[-1] if k == 1 else probabilities[-1][each.suffixes]
        probabilities.append(own + left[each.contexts] * lower)
        backoffs.append(left)
    with np.errstate(divide="ignore"):
        logs = [np.minimum(np.log(each), 0) for each in (*probabilities[1:], *backoffs[1:])]
    words, contexts = [each.words for each in grams], [each.contexts for each in grams]
    return KneserNey(backoff_tables(words, contexts, logs[: counts.order], logs[counts.order :]), chosen, remark)


def estimated_discounts(counts: NDArray[np.integer]) -> Discounts | None:
    """Those that the numbers n1 to n4 of counts of 1 to 4 give (equation 26); None where one of n1 to n3 is 0, or a
    discount comes out below 0."""
    n = np.bincount(counts[(counts > 0) & (counts < 5)], minlength=5).tolist()
    if 0 in n[1:4]:
        return None
    y = n[1] / (n[1] + 2 * n[2])
    found = Discounts(*(i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)))
    return found if min(found) >= 0 else None


def _possible(counts: NGramCounts, excluded: Collection[int]) -> NDArray[np.bool_]:
    """Which ids texts may have [v]."""
    possible = np.ones(counts.vocabulary_size, bool)
    for one in excluded:
        if not 0 <= one < counts.vocabulary_size:
            raise InputError(f"the excluded id {one} is none of the {counts.vocabulary_size} ids: leave it out")
        if counts.orders[0].counts[one]:
            raise InputError(
                f"the excluded id {one} occurs {counts.orders[0].counts[one]:,} times: leave it out, or exclude others"
            )
        possible[one] = False
    if counts.begin is not None:
        possible[counts.begin] = False
    if not possible.any():
        raise InputError(f"all of the {counts.vocabulary_size} ids are excluded: leave one at least for texts")
    return possible


def _discounted(
    grams: GramCounts, discounts: Discounts, *, contexts: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of each n-gram in its context, less the discount [n]; and what all discounts of a context leave
    [contexts], 1 where nothing follows it."""
    taken = np.array([0.0, *discounts])[np.minimum(grams.lefts, 3)]
    totals = np.bincount(grams.contexts, grams.lefts, minlength=contexts)
    left = np.bincount(grams.contexts, taken, minlength=contexts)
    empty = totals == 0
    totals[empty], left[empty] = 1, 1
    return (grams.lefts - taken) / totals[grams.contexts], left / totals


def _remark(orders: Sequence[int]) -> str | None:
    if not orders:
        return None
    one, two, more = FALLBACK
    names = ", ".join(f"{k}-grams" for k in orders)
    return (
        f"the counts of {names} are too few or too odd to estimate discounts from: "
        f"{one}, {two} and {more} are taken from counts of 1, 2 and more"
    )


def _checked(discounts: Sequence[tuple[float, float, float]], order: int) -> tuple[Discounts, ...]:
    if len(discounts) != order:
        raise InputError(f"discounts are given for {len(discounts)} orders, there are {order}: give three for each")
    for k, each in enumerate(discounts, 1):
        if not all(0 <= taken <= count for taken, count in zip(each, (1, 2, 3), strict=True)):
            raise InputError(
                f"the discounts of {k}-grams are {tuple(each)}: what is taken from a count of 1, 2 and 3 "
                "is not below 0 and no more than the count"
            )
    return tuple(Discounts(*each) for each in discounts)
