"""The page docs/text-vectors.md: its example runs, and shows what the page says of it."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "text-vectors.md"


def test_its_example_runs_and_finds_the_topic(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(example, PAGE.name, "exec"), {})
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"sea the (ship came into port|sail and the wave)", last)
