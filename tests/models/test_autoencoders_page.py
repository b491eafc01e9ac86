"""The page docs/autoencoders.md: its example runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "autoencoders.md"


def test_its_example_runs():
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(example, PAGE.name, "exec"), {})
