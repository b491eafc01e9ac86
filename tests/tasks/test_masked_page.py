"""The page docs/masked-language-models.md: its example runs, and it names options that there are."""

import re
from pathlib import Path

from pages import blocks, read_page

from jaxseq.config import DocumentsConfig, EncoderConfig, MaskedLanguageModelingConfig
from jaxseq.config.fields import rules_of
from jaxseq.tasks import MaskedLanguageModeling

ROOT = Path(__file__).parents[2]
PAGE = read_page("masked-language-models.md")


def test_its_example_fills_two_gaps(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(PAGE)
    exec(compile(example, "docs/masked-language-models.md", "exec"), {})
    assert capsys.readouterr().out == "Dogs True\nhoot True\n"


def test_it_names_options_metrics_and_files_that_there_are():
    for section, kind in (
        ("task", MaskedLanguageModelingConfig),
        ("data", DocumentsConfig),
        ("model", EncoderConfig),
    ):
        named = set(re.findall(rf"--{section}\.([a-z-]+)", PAGE))
        assert named
        assert named <= set(rules_of(kind))
    rows = re.findall(r"^\| (`\w*(?:loss|accuracy)`.*?) \|", PAGE, re.MULTILINE)
    metrics = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {metric.name for metric in MaskedLanguageModeling.metrics} == metrics
    for path in re.findall(r"`((?:jaxseq|configs)/[a-z0-9_/]+(?:\.py)?)", PAGE):
        assert (ROOT / path).exists(), path
