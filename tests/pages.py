"""The code in the pages of docs/: blocks are found, run as one who copies them would, and held against what they say.

A line that is an expression, with a value of Python behind its `#`, has to give that value:

    padding_mask([1], length=2)  # [[True, False]]
"""

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parents[1] / "docs"
_TOLERANCE = 1e-4


def read_page(name: str) -> str:
    """The text of docs/NAME."""
    return (DOCS / name).read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """What stands below each heading of the second level, by its words; what stands before them all under ""."""
    parts = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def blocks(page: str, language: str = "python") -> list[str]:
    """The code of each block of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def run(code: str, names: dict[str, Any], *, place: str = "page") -> int:
    """Runs a block, whose names are put into `names`; how many of its values were held against what is written."""
    lines, held = code.splitlines(), 0
    for node in ast.parse(code).body:
        assert node.end_lineno is not None
        written = _written(lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode())
        if isinstance(node, ast.Expr) and written:
            value = eval(compile(ast.Expression(node.value), place, "eval"), names)
            require_same(value, written[0], place=f"{place}: {lines[node.end_lineno - 1]}")
            held += 1
        else:
            exec(compile(ast.Module([node], []), place, "exec"), names)
    return held


def values(code: str) -> dict[str, Any]:
    """The values that are written behind the expressions of a block that cannot be run, by these expressions."""
    lines, found = code.splitlines(), {}
    for node in ast.parse(code).body:
        assert node.end_lineno is not None
        written = _written(lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode())
        if isinstance(node, ast.Expr) and written:
            found[ast.unparse(node)] = written[0]
    return found


def require_same(value: Any, written: Any, *, place: str) -> None:
    """That they are the same, arrays being lists, and numbers alike as far as they are written out."""
    value = _plain(value)
    if isinstance(written, float):
        assert isinstance(value, float | int), place
        assert np.isclose(value, written, rtol=0, atol=_TOLERANCE), f"{place}: {value}"
    elif isinstance(written, list | tuple):
        assert isinstance(value, list | tuple), place
        assert len(value) == len(written), f"{place}: {value}"
        for one, other in zip(value, written, strict=True):
            require_same(one, other, place=place)
    else:
        assert type(value) is type(written), f"{place}: {value}"
        assert value == written, f"{place}: {value}"


def _written(rest: str) -> list[Any]:
    """The value in what stands behind a line, alone in a list; none where that is no value."""
    match = re.fullmatch(r"\s*#\s*(.*)", rest)
    try:
        return [ast.literal_eval(match[1])] if match else []
    except (ValueError, SyntaxError):
        return []


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value
