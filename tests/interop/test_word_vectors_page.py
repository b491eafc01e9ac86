"""The section "Files" of docs/word-vectors.md: its example is run."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "word-vectors.md").read_text(encoding="utf-8")
SECTION = re.split(r"^## ", PAGE.partition("## Files\n")[2], flags=re.MULTILINE)[0]


def test_the_example_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    exec(compile(example, "docs/word-vectors.md", "exec"), {})
