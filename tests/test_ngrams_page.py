"""The page docs/ngrams.md: its examples run, and show what the page says of them."""

from pathlib import Path

import jax
import numpy as np
import pytest
from pages import blocks, read_page

PAGE = read_page("ngrams.md")


def test_its_examples_run_and_the_mixture_is_better_than_each(data_folder, tmp_path, monkeypatch, capsys):
    text = (data_folder / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("input.txt").write_text(text[:100_000], encoding="utf-8")
    examples = blocks(PAGE)
    assert len(examples) == 3
    names: dict = {}
    for block in examples:
        exec(compile(block, "ngrams.md", "exec"), names)
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("perplexity ")
    jax.tree.map(np.testing.assert_array_equal, names["again"].tables.params(), names["params"])
    alone = [float(logs.mean()) for logs in names["each"]]
    assert names["mixed"].mean() > max(alone) + 0.005
    assert names["weights"].sum() == pytest.approx(1)
    assert min(names["weights"]) > 0.05
