"""The page docs/subwords.md: its example is run."""

import re

from pages import blocks, read_page

from jaxseq.text import TOKENIZERS

PAGE = read_page("subwords.md")


def test_the_example_runs():
    (example,) = blocks(PAGE)
    assert example.count("assert") == 5
    exec(compile(example, "docs/subwords.md", "exec"), {})


def test_the_table_has_the_kinds_there_are():
    kinds = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(kinds) == set(TOKENIZERS) - {"char", "jamo", "byte", "word", "morpheme", "lines"}
