"""The table of n-gram orders, on a small text."""

import math
from itertools import pairwise

import numpy as np
from kneser_ney_by_hand import KneserNeyByHand

from benchmarks import ngram_orders
from benchmarks.ngram_orders import Split
from jaxseq.data.kneser_ney import FALLBACK, estimated_discounts


def test_its_perplexities_are_those_of_the_formulas(monkeypatch, capsys):
    train, validation, test = [0, 1, 2, 1, 0, 1, 1, 2, 0, 1], [1, 0, 1, 1], [2, 2, 1, 0, 2]
    split = Split(*(np.array(part, np.int32) for part in (train, validation, test)), 3)
    monkeypatch.setattr(ngram_orders, "ORDERS", (2,))
    ngram_orders.report("a text", "words", split)
    printed = capsys.readouterr().out
    assert printed.startswith("a text: 10 words to train on, a vocabulary of 3\n")
    assert "the counts of 1-grams are too few" in printed
    by_hand = KneserNeyByHand(
        [train], order=2, possible={0, 1, 2}, discounts=[FALLBACK, estimated_discounts(np.array([3, 2, 1, 1, 1, 1]))]
    )
    row = next(line for line in printed.splitlines() if line.startswith("| 2 |")).strip("| ").split(" | ")
    for part, found in zip((validation, test), row[-2:], strict=True):
        nats = [-math.log(by_hand.probability(y, (x,))) for x, y in pairwise(part)]
        assert found == f"{math.exp(np.mean(nats)):.1f}"


def test_nltk_is_timed_beside_it(monkeypatch, capsys):
    part = np.tile(np.arange(3, dtype=np.int32), 20)
    monkeypatch.setattr(ngram_orders, "ORDERS", (2, 3))
    ngram_orders.beside_nltk(Split(part, part, part, 3), 30)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "The first 30 words of WikiText-2, seconds:"
    assert [line[:5] for line in printed[-2:]] == ["| 2 |", "| 3 |"]
