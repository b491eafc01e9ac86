"""The measures of neighbours of items, on baskets small enough to count by hand."""

import sys

import numpy as np
import pytest
from small_baskets import draw_baskets, experiment_of, write_lists

from benchmarks import item_neighbours
from benchmarks.item_neighbours import alike, by_popularity, chance, held_out
from jaxseq.data.examples import join_sequences
from jaxseq.runs.train import train_run


def test_measures_are_those_counted_by_hand(monkeypatch):
    monkeypatch.setattr(item_neighbours, "NEAR", 2)
    baskets = join_sequences([[0, 1, 2], [3], [0, 4]])
    near = np.array([[1, 2], [0, 3], [3, 4], [0, 1], [1, 0]])
    assert held_out(near, baskets) == pytest.approx(np.mean([(1 + 0.5 + 0) / 3, (0 + 0.5) / 2]))
    assert chance(5, baskets) == pytest.approx(np.mean([2 / 4, 1 / 4]))
    assert by_popularity(np.array([1, 5, 3, 9, 0])).tolist() == [[3, 1], [3, 2], [3, 1], [1, 2], [3, 1]]
    has = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [1, 1, 0]], bool)
    found, any_two = alike(near, has, np.array([1, 1, 0, 0, 1]))
    assert found == pytest.approx(np.mean([(1 / 2 + 0) / 2, (1 / 2 + 0) / 2, (1 / 2 + 1) / 2]))
    assert any_two == pytest.approx(2 * (1 / 2 + 1 + 1 / 2) / 20)


def test_a_run_is_measured_beside_gensim(tmp_path, monkeypatch, capsys):
    source = write_lists(tmp_path / "a.jsonl", draw_baskets(60))
    lines = ["item\tkind"] + [
        f"{item}\t{'|'.join(('x', 'y')[at % 2 :])}" for at, item in enumerate(["0012", "12", "figs"])
    ]
    (tmp_path / "kinds.tsv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    train_run(experiment_of(source, data={"split": (0.8, 0.1, 0.1)}, epochs=1), tmp_path / "run")
    capsys.readouterr()
    words = ["item_neighbours", "run", "--properties", "kinds.tsv", "--column", "kind", "--gensim", "1"]
    monkeypatch.setattr(item_neighbours, "NEAR", 3)
    monkeypatch.setattr(sys, "argv", words)
    item_neighbours.main()
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == ["jaxseq", "gensim", "popularity", "at random"]
    assert all("held out " in line and ", alike 0." in line for line in printed)
