"""The page docs/convolutions.md: its examples run, and the functions and layers it names are there."""

import re

from pages import blocks, read_page

from jaxseq import nn, ops
from jaxseq.ops import spatial_pooling

PAGE = read_page("convolutions.md")


def test_the_examples_run():
    names: dict[str, object] = {}
    examples = blocks(PAGE)
    assert [example.count("assert") for example in examples] == [3, 3]
    for example in examples:
        exec(compile(example, "docs/convolutions.md", "exec"), names)


def test_it_names_what_there_is():
    table = PAGE.partition("## Padding")[0] + PAGE.partition("## Back up")[2].partition("##")[0]
    layers = re.findall(r"^\| `nn\.(\w+)`", table, re.MULTILINE)
    functions = re.findall(r"^\| `(\w+)\(", table, re.MULTILINE)
    assert layers == ["Linear", "Conv", "ConvTranspose", "CausalConv"]
    assert functions == ["nearest", "bed_of_nails", "max_unpool", "bilinear"]
    assert all(hasattr(nn, name) for name in layers)
    assert all(hasattr(spatial_pooling, name) for name in functions)
    assert all(hasattr(ops, name) for name in re.findall(r"`ops\.(\w+)`", PAGE))
