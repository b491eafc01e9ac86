"""Odd values: numbers on and past every edge, texts, JSON, bytes."""

import encodings.aliases
import json
import random
from collections.abc import Callable
from typing import Any

INTEGERS = [0, -1, 1, 2, 3, 5, 7, 8, 16, 31, 100, 999, 4097, 2**15, 65535, 65536, 10**6, 2**24 + 1, 2**31 - 1, 2**31]
INTEGERS += [2**32 - 1, 2**32, 2**40, 2**53, 2**63 - 1, 2**63, 2**64, 10**20, 10**100, -(2**31), -(2**63) - 1]
FLOATS = ["0", "-0.0", "1", "0.5", "0.1", "1e-7", "0.99999", "0.9999999999", "1e-45", "5e-324", "1e-308", "1.5", "2"]
FLOATS += ["100", "-1e-9", "1e10", "3e38", "1e39", "1e308", "1e400", "nan", "-nan", "inf", "-inf", "65536", "1e-38"]
NOT_NUMBERS = ["", " ", "x", "1_000", "1e3", "0x10", "+5", " 7", "٣", "１", "1,5", "1.0", "None", "true", "9" * 5000]
TEXTS = [
    "",
    " ",
    "a",
    "the",
    "\n",
    "a\nb",
    "\t",
    "\x1b[31mred",
    "\x07",
    "é",
    "e\u0301",
    "한",
    "\u1112\u1161\u11ab",
    "🙂",
]
TEXTS += [
    "\ufeff",
    "\u202e",
    "\x85",
    "\u2028",
    "x" * 5000,
    "%s",
    "{}",
    "{0}",
    "*",
    "[",
    "**",
    "-",
    "--",
    "-the",
    "--help",
]
TEXTS += ["\\n", "\udcff", "\udc80a", "None", "null", "'", '"', "$(id)", "~", "~nobody-there/x", "..", "../x", ".", "/"]
PATHS = ["/dev/null", "/dev/full", "/dev/stdin", "/dev/tty", "/proc/self/mem", "/proc/self/environ", "/etc/passwd"]
PATHS += [
    "text.txt",
    "text.txt/x",
    "nothing",
    "../outside",
    "../outside/secret.txt",
    "runs",
    "runs/neighbour",
    "a" * 300,
]
PATHS += [
    "runs/" + "a/" * 200 + "b",
    "runs/new/",
    "runs/\udcff",
    "runs/a\nb",
    "runs/\x1b[31m",
    "tfds:",
    "tfds:x",
    "tfds:a/b:c#d",
]

_JSON = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3,
    16.5,
    -0.5,
    0.25,
    2**31,
    2**63,
    2**64,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
]
_JSON += [
    "",
    "foo",
    "lstm",
    "\x1b[31mred",
    "\ud800",
    "../../outside/secret.txt",
    "/etc/passwd",
    "x" * 10000,
    "\n",
    "float64",
]
_JSON += [
    [],
    {},
    [[]],
    ["a"],
    [1, 2],
    [0.5, 0.5, 0.0, 0.0],
    [0.9, "a", 0],
    {"a": 1},
    [None],
    "object",
    "-",
    "/dev/zero",
]

ENCODINGS = sorted(set(encodings.aliases.aliases.values()))
ENCODINGS += [
    "idna",
    "punycode",
    "undefined",
    "unicode_escape",
    "raw_unicode_escape",
    "utf-8-sig",
    "cp65001",
    "oem",
    "palmos",
]
ENCODINGS += ["", " ", "no-such", "utf-8\n", "UTF-8", "utf8", "../x", "x" * 1000, "unicode_internal", "charmap", "é"]


def number(chance: random.Random, *, whole: bool) -> str:
    """A number as it may be typed, or something that is none."""
    kind = chance.random()
    if kind < 0.08:
        return chance.choice(NOT_NUMBERS)
    if whole or kind < 0.2:
        return str(chance.choice(INTEGERS) + (chance.choice((-1, 0, 0, 1)) if kind < 0.5 else 0))
    return chance.choice(FLOATS)


def json_value(chance: random.Random) -> Any:
    """Some JSON, sometimes nested without end."""
    if chance.random() < 0.03:
        value: Any = []
        for _ in range(chance.choice((50, 300, 900))):
            value = [value]
        return value
    return _copied(chance.choice(_JSON))


def mutated_tree(tree: Any, chance: random.Random) -> Any:
    """`tree` with one to three places in it changed, deleted or added."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            return json_value(chance)
        holder, key = chance.choice(places)
        kind = chance.random()
        if kind < 0.65:
            holder[key] = json_value(chance)
        elif kind < 0.75 and isinstance(holder[key], int | float):
            holder[key] = chance.choice(
                (-holder[key], holder[key] + 1, holder[key] * 10**6, str(holder[key]), [holder[key]])
            )
        elif kind < 0.87:
            del holder[key]
        elif isinstance(holder, dict):
            holder[chance.choice(("new", "", "__class__", "..", key + " ", "\x1b"))] = json_value(chance)
        else:
            holder.insert(key, chance.choice((json_value(chance), _copied(holder[key]))))
    return tree


def _copied(tree: Any) -> Any:
    """So that a later change has one place; `copy.deepcopy` would not get to the bottom of some."""
    return json.loads(json.dumps(tree))


def _places(tree: Any, depth: int = 40) -> Any:
    """Not the ones deep down: a value nested without end would soon stand in another, deeper than JSON is written."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items) if depth else ():
        yield tree, key
        yield from _places(value, depth - 1)


def json_bytes(tree: Any, chance: random.Random) -> bytes:
    """The text of a JSON file, sometimes as other programs write it, or damaged."""
    raw = json.dumps(tree, ensure_ascii=chance.random() < 0.9, indent=1).encode("utf-8", "surrogatepass")
    kind = chance.random()
    if kind < 0.7:
        return raw
    if kind < 0.8:
        return mutated_bytes(raw, chance)
    others: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: b"\xef\xbb\xbf" + raw,
        lambda: raw.decode(errors="replace").encode("utf-16"),
        lambda: b"[" * 100_000,
        lambda: b'{"a":' * 100_000,
        lambda: b"\0" * 1000,
        lambda: raw.replace(b": 8", b": " + b"9" * 5000),
        lambda: raw + raw,
        lambda: raw.replace(b"\n", b"\r"),
        lambda: b"\xff" + raw,
        lambda: raw.replace(b'"', b"'"),
    ]
    return chance.choice(others)()


def mutated_bytes(raw: bytes, chance: random.Random) -> bytes:
    """`raw` with some bytes changed, cut out, doubled or put in, or its end missing."""
    content = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 8))):
        if not content:
            break
        at, kind = chance.randrange(len(content)), chance.random()
        if kind < 0.5:
            content[at] ^= 1 << chance.randrange(8)
        elif kind < 0.65:
            del content[at : at + chance.choice((1, 4, 100))]
        elif kind < 0.8:
            content[at:at] = chance.randbytes(chance.choice((1, 4, 100)))
        elif kind < 0.9:
            content[at:] = b""
        else:
            content[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"))
    return bytes(content)
