"""The table of what more devices and processes bring."""

import sys

import pytest

from benchmarks import scaling


def test_speeds_are_medians_and_multiples_of_the_first_contestant_s(monkeypatch, capsys):
    made = {(1, 1): [100.0, 300.0, 200.0], (1, 2): [300.0, 500.0, 400.0], (2, 1): [100.0, 90.0, 110.0]}
    order = []

    def measured(work, processes, devices, options):
        order.append((processes, devices))
        return made[processes, devices].pop(0)

    monkeypatch.setattr(scaling, "rows_a_second", measured)
    monkeypatch.setattr(sys, "argv", ["scaling.py", "--devices", "1", "2", "--works", "lstm"])
    assert scaling.main() == 0
    assert order == [(1, 1), (1, 2), (2, 1)] * 3
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert lines == ["| lstm | 1 | 1 | 200 | 1.00 |", "| lstm | 1 | 2 | 400 | 2.00 |", "| lstm | 2 | 1 | 100 | 0.50 |"]


def test_a_contestant_that_fails_ends_it(monkeypatch):
    monkeypatch.setattr(scaling, "__file__", "/nowhere/scaling.py")
    monkeypatch.setattr(sys, "argv", ["scaling.py", "--devices", "1", "--works", "lstm"])
    with pytest.raises(SystemExit, match="lstm on 1 x 1 failed"):
        scaling.main()
