"""The yardstick for subwords, on a small text."""

import sys

from benchmarks import subwords


def test_it_tells_a_speed_of_every_kind_and_of_its_library(tmp_path, monkeypatch, capsys):
    (tmp_path / "text.txt").write_text("What is told three times is true, and told again.\n" * 40, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["subwords.py", str(tmp_path / "text.txt"), "--size", "330", "--rounds", "1"])
    assert subwords.main() == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["bpe", "wordpiece", "unigram", "sentencepiece"]
    for row in rows:
        assert len(row.split()) == 4
        assert all(float(speed) > 0 for speed in row.split()[1:])


def test_the_libraries_beside_have_the_same_ids():
    text = "What is told three times is true, and told again.\n" * 40
    for made in (subwords.byte_pairs, subwords.wordpieces, subwords.unigrams, subwords.sentencepieces):
        ours, theirs = made(text, 330)
        (found,) = theirs([text])
        assert [1 + id for id in getattr(found, "ids", found)] == ours.encode(text).tolist()
