"""The script that tells what vectors are worth: its variants and its table."""

from pathlib import Path

import pytest

from benchmarks.transfer import STARTS, draw, table, variant
from jaxseq.config import load_config

CONFIG, _ = load_config(Path(__file__).parents[2] / "configs" / "bag_transfer.py")


@pytest.mark.parametrize(
    ("start", "fields"),
    [
        ("random", ("", "texts", False)),
        ("frozen", ("v.npz", "vectors", True)),
        ("tuned", ("v.npz", "vectors", False)),
    ],
)
def test_each_start_changes_what_it_says_and_nothing_else(start, fields):
    made = variant(CONFIG, start, vectors=Path("v.npz"), examples=7, seed=2)
    assert (made.task.vectors, made.task.vocabulary, made.task.freeze_vectors) == fields
    assert (made.data.examples, made.train.seed, made.name) == (7, 2, f"{start}_7_2")
    assert (made.model, made.optimizer) == (CONFIG.model, CONFIG.optimizer)


def test_the_table_has_a_line_for_each_start_with_mean_and_deviation(tmp_path):
    accuracies = {start: {10: [0.5, 0.7], 1000: [0.8, 0.8]} for start in STARTS}
    heading, _, *lines = table(accuracies).splitlines()
    assert heading == "| start | 10 reviews | 1,000 reviews |"
    assert lines == [f"| {start} | 60.00 ± 14.14 % | 80.00 ± 0.00 % |" for start in STARTS]
    draw(accuracies, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
