"""The page docs/text-vectors.md: its example runs, and shows what the page says of it."""

import re

from pages import blocks, read_page

PAGE = read_page("text-vectors.md")


def test_its_example_runs_and_finds_the_topic(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(PAGE)
    exec(compile(example, "text-vectors.md", "exec"), {})
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"sea the (ship came into port|sail and the wave)", last)
