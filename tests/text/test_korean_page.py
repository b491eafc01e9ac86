"""The page docs/korean.md: its examples print what it says of them."""

import re

from pages import blocks, read_page

from jaxseq.text import MorphemeTokenizer, read_tagged

PAGE = read_page("korean.md")


def test_its_examples_run(capsys):
    examples = blocks(PAGE)
    assert len(examples) == 2
    for block in examples:
        exec(compile(block, "korean.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "😀/W_EMOJI 😀",
        "그/NP 그",
        "는/JX 는",
        "집/NNG 집",
        "에/JKB 에",
        "가/VV 갔",
        "었/EP 갔",
        "다/EF 다",
        "그는 영화를 봤다",
        "('Unicode form', 'white space', 'morphemes joined', 'unknown symbols')",
    ]


def test_what_it_says_of_forms_and_of_joining_is_so():
    assert "반지의\\u0020제왕/NNP, \\u002f/SP" in PAGE
    assert read_tagged("반지의\\u0020제왕/NNP \\u002f/SP") == [("반지의 제왕", "NNP"), ("/", "SP")]
    quoted = re.search('"(모든게 걸작)" comes back as "(.*?)"', PAGE, re.DOTALL)
    assert quoted is not None
    assert MorphemeTokenizer.train(quoted[1]).normalize(quoted[1]) == " ".join(quoted[2].split())
    assert '"영화다"' in PAGE
