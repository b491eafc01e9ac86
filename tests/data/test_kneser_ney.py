"""Kneser-Ney estimates against the formulas in plain Python, KenLM's estimator and NLTK."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kneser_ney_by_hand import KneserNeyByHand, log_probability

from jaxseq.data.backoff import Index
from jaxseq.data.kneser_ney import FALLBACK, Discounts, estimate_kneser_ney, estimated_discounts
from jaxseq.data.ngram_counts import count_ngrams
from jaxseq.errors import InputError

SIZE = 6
UNSEEN = 5
"""An id that may come and never does in the texts here."""
texts_of_ids = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), max_size=4)


def joined(texts):
    lengths = [len(text) for text in texts]
    return np.array([i for text in texts for i in text], np.int32), np.cumsum([0, *lengths], dtype=np.int64)[:-1]


def counted(texts, *, order, begin=None, size=SIZE):
    ids, starts = joined(texts)
    return count_ngrams(ids, order=order, vocabulary_size=size, starts=starts, begin=begin)


@settings(deadline=None, max_examples=60)
@given(
    texts_of_ids,
    st.integers(1, 4),
    st.sampled_from([None, 0]),
    st.one_of(st.none(), st.tuples(st.floats(0.05, 1), st.floats(0.05, 2), st.floats(0.05, 3))),
    st.lists(st.integers(0, 5), max_size=4),
)
def test_probabilities_are_those_of_the_formulas_and_sum_to_one(texts, order, begin, given_discounts, context):
    counts = counted(texts, order=order, begin=begin)
    discounts = None if given_discounts is None else [given_discounts] * order
    excluded = (0,) if begin is None else ()
    model = estimate_kneser_ney(counts, excluded=excluded, discounts=discounts)
    by_hand = KneserNeyByHand(texts, order=order, begin=begin, possible={1, 2, 3, 4, 5}, discounts=model.discounts)
    found = [math.exp(log_probability(model.tables, word, context)) for word in range(SIZE)]
    np.testing.assert_allclose(found, [by_hand.probability(w, tuple(context)) for w in range(SIZE)], rtol=2e-6)
    assert found[0] == 0
    assert min(found[1:]) > 0
    assert sum(found) == pytest.approx(1, abs=2e-6)
    if discounts is None:
        for k, discount in enumerate(model.discounts, 1):
            assert discount == (discounts_by_hand(by_hand.numbers(k)) or FALLBACK)


def discounts_by_hand(n) -> Discounts | None:
    if not n[1] or not n[2] or not n[3]:
        return None
    y = n[1] / (n[1] + 2 * n[2])
    found = Discounts(1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
    return found if min(found) >= 0 else None


def test_discounts_that_cannot_be_estimated_are_told():
    known = [1] * 10 + [2] * 4 + [3] * 2 + [4]
    assert estimated_discounts(np.array([0, 9, *known])) == pytest.approx(Discounts(5 / 9, 7 / 6, 17 / 9))
    assert estimated_discounts(np.array([1, 1, 2, 2])) is None, "no count of 3"
    assert estimated_discounts(np.array([1, 1, 1, 2, *[3] * 9])) is None, "D2 is below 0"
    model = estimate_kneser_ney(counted([[1, 2, 3, 1, 2]], order=2))
    assert model.discounts == (FALLBACK, FALLBACK)
    assert model.remark == (
        "the counts of 1-grams, 2-grams are too few or too odd to estimate discounts from: 0.5, 1.0 and 1.5 are taken "
        "from counts of 1, 2 and more"
    )


LMPLZ = {
    "<unk>": (-1.3521825, 0),
    "</s>": (-0.6619864, 0),
    "the": (-0.8608209, -0.30103),
    "sat": (-1.0097599, -0.30103),
    "sat </s>": (-0.6309904, 0),
    "mat </s>": (-0.44504, 0),
    "<s> the": (-0.38070786, -0.30103),
    "the cat": (-0.7693484, -0.30103),
    "and a": (-0.55717194, -0.30103),
    "the cat </s>": (-0.54727674, None),
    "<s> on the": (-0.10543781, None),
    "cat sat on": (-0.19476356, None),
    "on the log": (-0.65726405, None),
    "a cat and": (-0.19193915, None),
}
"""What KenLM's estimator makes of `SENTENCES`, logarithms to base 10: lmplz -o 3 --discount_fallback, at 4cb443e.

It enters the very last n-gram of each lower order among the counts of counts by how often it occurs (adjust_counts.cc,
"lower_count"), which is another number where that stands behind fewer tokens. Here it occurs once."""
SENTENCES = """the cat sat on the mat
the dog sat on the log
a cat and a dog
the cat and the dog sat
on the mat sat the cat
a dog
the end"""


def test_estimates_are_those_of_kenlm():
    words = ["<unk>", "<s>", "</s>", *sorted(set(SENTENCES.split()))]
    texts = [[words.index(word) for word in f"{line} </s>".split()] for line in SENTENCES.splitlines()]
    tables = estimate_kneser_ney(counted(texts, order=3, begin=1, size=len(words))).tables
    index = Index.of(tables)
    for gram, (log, backoff) in LMPLZ.items():
        ids = [words.index(word) for word in gram.split()]
        at = index.grams(np.array([ids]))[0]
        table = tables.grams[len(ids) - 1]
        assert float(table.log_probabilities[at]) / math.log(10) == pytest.approx(log, abs=1e-6), gram
        if backoff is not None:
            assert float(table.backoffs[at]) / math.log(10) == pytest.approx(backoff, abs=1e-6), gram
    assert [len(grams.words) for grams in tables.grams] == [13, 25, 28]


def test_with_one_discount_they_are_those_of_nltk(data_folder):
    """NLTK takes no discount from unigrams, so an unknown word has none of the probability there (nltk#3211)."""
    from nltk.lm import KneserNeyInterpolated, Vocabulary
    from nltk.util import everygrams

    text = (data_folder / "gutenberg_plays" / "shakespeare-hamlet.txt").read_text(encoding="latin-1").split()[:3000]
    names = ["<s>", *sorted(set(text))]
    ids = [names.index(word) for word in text]
    theirs = KneserNeyInterpolated(3, discount=0.4, vocabulary=Vocabulary(names))
    theirs.fit([list(everygrams(["<s>", *text], max_len=3))])
    counts = counted([ids], order=3, begin=0, size=len(names))
    ours = estimate_kneser_ney(counts, discounts=[(0, 0, 0), (0.4,) * 3, (0.4,) * 3]).tables
    places = [*range(2, 2990, 131)]
    for at in places:
        # After a context that occurs, one that occurs in part, and one that does not.
        for word, before in ((at, at), (at + 5, at), (at, at + 7)):
            context = text[before - 2 : before]
            expected = theirs.score(text[word], context)
            found = log_probability(ours, ids[word], ids[before - 2 : before])
            assert math.exp(found) == pytest.approx(expected, rel=1e-5)


def test_an_unknown_word_has_a_finite_perplexity_where_nltk_has_none():
    """nltk#3211."""
    model = estimate_kneser_ney(counted([[1, 2, 3, 4, 1, 2, 1, 3, 4, 2, 1, 1, 1, 2]], order=3))
    for context in ([], [1], [1, 2], [UNSEEN, 1], [UNSEEN, UNSEEN]):
        assert -10 < log_probability(model.tables, UNSEEN, context) < 0


def test_a_model_of_no_text_finds_all_words_alike():
    tables = estimate_kneser_ney(counted([], order=3), excluded=[0]).tables
    assert [log_probability(tables, word, [1, 2]) for word in range(1, SIZE)] == [pytest.approx(-math.log(5))] * 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"excluded": [1]}, "the excluded id 1 occurs 2 times: leave it out, or exclude others"),
        ({"excluded": [6]}, "the excluded id 6 is none of the 6 ids: leave it out"),
        ({"discounts": [(0.5, 0.5, 0.5)]}, "discounts are given for 1 orders, there are 2: give three for each"),
        ({"discounts": [(0.5, 0.5, 0.5), (1.5, 1, 1)]}, "the discounts of 2-grams are .* no more than the count"),
        ({"discounts": [(-0.5, 0.5, 0.5), (1, 1, 1)]}, "the discounts of 1-grams are .* is not below 0"),
    ],
)
def test_what_cannot_be_estimated_is_told(options, message):
    with pytest.raises(InputError, match=message) as caught:
        estimate_kneser_ney(counted([[1, 2, 1]], order=2), **options)
    assert "\n" not in str(caught.value)


def test_one_id_is_left_for_texts():
    with pytest.raises(InputError, match="all of the 2 ids are excluded: leave one at least for texts"):
        estimate_kneser_ney(counted([], order=2, size=2), excluded=[0, 1])
