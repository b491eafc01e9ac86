"""The page docs/baskets.md: its example is run, and it names options that there are."""

import re

from pages import blocks, read_page

from jaxseq.config import BasketsConfig, WordVectorsConfig
from jaxseq.config.fields import rules_of

PAGE = read_page("baskets.md")


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(PAGE)
    assert example.count("assert") == 4
    exec(compile(example, "docs/baskets.md", "exec"), {})


def test_it_names_options_that_there_are():
    named = set(re.findall(r"(?:--|`)(data|task)\.([a-z_-]+)", PAGE))
    known = {("data", name) for name in rules_of(BasketsConfig)} | {
        ("task", name) for name in rules_of(WordVectorsConfig)
    }
    assert {(section, name.replace("-", "_")) for section, name in named} <= known
    assert len(named) > 10
