"""The README keeps what it says."""

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_its_example_runs_and_has_at_most_15_lines(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 15
    exec(compile(example, "README.md", "exec"), {})
    sample = capsys.readouterr().out
    assert len(sample) == 81
    assert "quick brown fox" in sample


def test_the_files_it_links_to_exist():
    root = Path(__file__).parents[1]
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    missing = [link for link in links if not (root / link).exists()]
    assert not missing
