"""Word vectors against people's judgements of pairs, by gensim and SciPy."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from real_vectors import glove, in_gensim, in_mixed_case
from scipy import stats

from jaxseq.data.word_questions import read_word_questions
from jaxseq.metrics.similarity import score_pairs, spearman

FILES = {"wordsim353.tsv": 353, "SimLex-999.txt": 999}
WORDS = ("the", "King", "queen", "zero", "king")
VECTORS = np.array([[1, 0], [1, 1], [1, 2], [0, 0], [-5, 5]], np.float32)


def pairs_of(data_folder, name):
    path = data_folder / "word_similarity" / name
    if not path.exists():
        pytest.skip(f"no pairs at {path}")
    return read_word_questions(path).pairs


def gensims(keyed, pairs, folder, **options):
    """Spearman's coefficient and the number of pairs that it is of."""
    file = folder / "pairs.tsv"
    file.write_text("".join(f"{one}\t{other}\t{figure}\n" for one, other, figure in pairs), encoding="utf-8")
    _, found, unknown = keyed.evaluate_word_pairs(str(file), **options)
    return float(found[0]), round(len(pairs) * (1 - unknown / 100))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("cut", [None, 5000])
@pytest.mark.parametrize("mixed", [False, True])
def test_on_real_vectors_and_pairs_it_is_gensims(data_folder, tmp_path, name, cut, mixed):
    """In mixed case too (gensim#714)."""
    words, vectors = glove(data_folder, 8000)
    if mixed:
        words, vectors = in_mixed_case(words, vectors)
    pairs = pairs_of(data_folder, name)
    found = score_pairs(words, vectors, pairs, most_frequent=cut)
    expected, answered = gensims(in_gensim(words, vectors), pairs, tmp_path, restrict_vocab=cut)
    assert found.spearman == pytest.approx(expected, abs=1e-4)
    assert (found.answered, found.asked) == (answered, FILES[name])
    assert found.vocabulary == (cut or len(words))
    assert 40 < found.answered < found.asked


def test_a_word_in_another_case_is_the_first_of_its_form():
    """gensim#714: mixed case scored wrong."""
    pairs = [("KING", "The", 3.0), ("Queen", "the", 2.0), ("quEEn", "king", 9.0)]
    found = score_pairs(WORDS, VECTORS, pairs)  # by the King of row 1: cosines 0.71, 0.45, 0.95
    assert (found.spearman, found.answered) == (pytest.approx(1), 3)
    by_the_last = score_pairs(WORDS[::-1], VECTORS[::-1], pairs)  # by the king of [-5, 5]
    assert by_the_last.spearman == pytest.approx(-0.5)


def test_a_zero_vector_has_the_cosine_zero_and_unknown_words_are_left_out_and_counted():
    pairs = [("zero", "queen", 1.0), ("the", "king", 2.0), ("no", "the", 9.0), ("the", "", 9.0)]
    assert score_pairs(WORDS, VECTORS, pairs) == (pytest.approx(1), 2, 4, 5)
    assert score_pairs(WORDS, VECTORS, pairs, most_frequent=3) == (pytest.approx(math.nan, nan_ok=True), 1, 4, 3)
    assert score_pairs(WORDS, VECTORS, pairs[2:])[1:] == (0, 2, 5)


def test_evaluating_changes_nothing_and_says_the_same_again(data_folder):
    """gensim#2014."""
    words, vectors = glove(data_folder, 3000)
    before, pairs = vectors.copy(), pairs_of(data_folder, "SimLex-999.txt")
    once = score_pairs(words, vectors, pairs)
    assert score_pairs(words, vectors, pairs) == once
    np.testing.assert_array_equal(vectors, before)


VALUES = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=30)


@given(VALUES)
def test_spearmans_coefficient_is_scipys_with_ties(pairs):
    x, y = np.array(pairs, float).T
    assume(np.ptp(x) and np.ptp(y))
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


def test_where_there_is_none_it_is_no_number():
    assert math.isnan(spearman([], []))
    assert math.isnan(spearman([1], [2]))
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))
