"""The section "Files" of docs/word-vectors.md: its example is run."""

import re

from pages import blocks, read_page

PAGE = read_page("word-vectors.md")
SECTION = re.split(r"^## ", PAGE.partition("## Files\n")[2], flags=re.MULTILINE)[0]


def test_the_example_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(SECTION)
    exec(compile(example, "docs/word-vectors.md", "exec"), {})
