"""The page docs/asking-vectors.md: its example is run, and its scores are those that come out."""

import re

import pytest
from pages import blocks, read_page
from real_vectors import glove

from jaxseq.data.word_questions import read_word_questions
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.metrics.similarity import PairScore
from jaxseq.runs.asking import scores

PAGE = read_page("asking-vectors.md")


def test_the_example_runs():
    (example,) = blocks(PAGE)
    assert example.count("assert") == 7
    exec(compile(example, "docs/asking-vectors.md", "exec"), {})


@pytest.mark.parametrize("name", ["wordsim353.tsv", "SimLex-999.txt", "questions-words.txt"])
def test_the_scores_are_those_of_the_page(data_folder, name):
    words, table = glove(data_folder, 40_000)
    vectors = WordVectors(words, table, "glove.txt")
    found = scores(vectors, read_word_questions(data_folder / "word_similarity" / name))
    if isinstance(found, PairScore):
        assert f"Spearman {found.spearman:.4f} | {found.answered} of {found.asked} pairs | all 40,000 words" in PAGE
        return
    for total in found.totals:
        # A question of hundreds may turn on the last bit.
        figure = re.search(rf"(\d+\.\d\d) % \| {total.answered:,} of {total.asked:,} ", PAGE)
        assert figure
        assert 100 * total.accuracy == pytest.approx(float(figure[1]), abs=0.02)
