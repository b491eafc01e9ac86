"""The page docs/pairs.md: its example is run, and it names options that there are."""

import re

from pages import blocks, read_page

from jaxseq.config import MadeUpConfig, PairsConfig
from jaxseq.config.fields import rules_of

PAGE = read_page("pairs.md")


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(PAGE)
    assert example.count("assert") == 3
    exec(compile(example, "docs/pairs.md", "exec"), {})


def test_it_names_options_that_there_are():
    named = {name.replace("-", "_") for name in re.findall(r"(?:--|`)data\.([a-z_-]+)", PAGE)} - {"kind"}
    assert named <= {*rules_of(PairsConfig), *rules_of(MadeUpConfig)}
    assert len(named) > 10
