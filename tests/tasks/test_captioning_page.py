"""The page docs/captioning.md: its example is run, and it names options that there are."""

import re

from pages import blocks, read_page

from jaxseq.commands.caption import CaptionArguments
from jaxseq.config import CaptionerConfig, CaptioningConfig, CaptionsConfig, DigitScenesConfig, TrainConfig
from jaxseq.config.fields import rules_of
from jaxseq.tasks.captioning.caption_scores import CAPTION_METRICS
from jaxseq.tasks.captioning.scene_attention import ATTENTION_METRICS

PAGE = read_page("captioning.md")


def test_its_example_captions_a_picture_in_korean_and_has_at_most_20_lines(capsys):
    (example,) = blocks(PAGE)
    assert len([line for line in example.splitlines() if line]) <= 20
    exec(compile(example, "docs/captioning.md", "exec"), {})
    assert capsys.readouterr().out == "위쪽 반\n"


def test_it_names_options_that_there_are():
    sections = {"task": [CaptioningConfig], "data": [CaptionsConfig, DigitScenesConfig]}
    sections |= {"model": [CaptionerConfig], "train": [TrainConfig]}
    for section, kinds in sections.items():
        there_are = {name for kind in kinds for name in rules_of(kind)}
        named = {name.replace("-", "_") for name in re.findall(rf"--{section}\.([a-z-]+)", PAGE)} - {"kind"}
        assert named
        assert named <= there_are
    named = {
        name.replace("-", "_")
        for line in re.findall("^jaxseq caption .*", PAGE, re.MULTILINE)
        for name in re.findall(r"--([a-z-]+)", line)
    }
    assert named <= set(CaptionArguments.__dataclass_fields__)


def test_it_names_every_figure():
    table = "\n".join(re.findall(r"^\| `.*", PAGE, re.MULTILINE))
    named = set(re.findall(r"`(\w+)`", table))
    assert {metric.name for metric in (*CAPTION_METRICS, *ATTENTION_METRICS)} <= named
