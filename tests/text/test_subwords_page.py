"""The page docs/subwords.md: its example is run."""

import re
from pathlib import Path

from jaxseq.text import TOKENIZERS

PAGE = (Path(__file__).parents[2] / "docs" / "subwords.md").read_text(encoding="utf-8")


def test_the_example_runs():
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert example.count("assert") == 5
    exec(compile(example, "docs/subwords.md", "exec"), {})


def test_the_table_has_the_kinds_there_are():
    kinds = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(kinds) == set(TOKENIZERS) - {"char", "jamo", "byte", "word", "morpheme", "lines"}
