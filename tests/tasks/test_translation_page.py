"""The page docs/translation.md: its example is run, and it names options that there are."""

import re

from pages import blocks, read_page

from jaxseq.config import MadeUpConfig, PairsConfig, Seq2SeqConfig, Seq2SeqTransformerConfig, TranslationConfig
from jaxseq.config.fields import rules_of

PAGE = read_page("translation.md")


def test_its_example_translates_a_sentence_never_seen_and_has_at_most_20_lines(capsys):
    (example,) = blocks(PAGE)
    assert len([line for line in example.splitlines() if line]) <= 20
    exec(compile(example, "docs/translation.md", "exec"), {})
    assert capsys.readouterr().out == "the man barks\n"


def test_it_names_options_that_there_are():
    sections = {"task": [TranslationConfig], "data": [PairsConfig, MadeUpConfig]}
    sections["model"] = [Seq2SeqConfig, Seq2SeqTransformerConfig]
    for section, kinds in sections.items():
        there_are = {name for kind in kinds for name in rules_of(kind)}
        switches = {"no_" + name for name in there_are}
        named = {name.replace("-", "_") for name in re.findall(rf"--{section}\.([a-z-]+)", PAGE)} - {"kind"}
        assert named
        assert named <= there_are | switches
