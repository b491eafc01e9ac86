"""Fuzzed files: texts and archives, JSON, manifests, token files, records. Each function makes a case of its kind."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_values import ENCODINGS, json_bytes, json_value, mutated_bytes, mutated_tree
from fuzz_world import Case, World, any_command, training
from judging import reseal
from processes import Outcome

_SUFFIXES = (
    ".txt",
    ".txt",
    ".txt.gz",
    ".txt.xz",
    ".zip",
    ".bz2",
    ".gz",
    ".tar",
    ".tar.gz",
    ".tgz",
    "",
    ".md",
    ".TXT",
    ".txt.GZ",
)


def sources(world: World, folder: Path, chance: random.Random) -> Case:
    """A text of any kind, packed in any way, damaged or not, under a name that may be another's."""
    case = world.case(folder)
    raw, encoding = _text(chance)
    packed, how = _packed(raw, chance)
    if chance.random() < 0.45:
        packed, how = mutated_bytes(packed, chance), f"{how} damaged"
    suffix = (
        chance.choice(_SUFFIXES)
        if chance.random() < 0.35
        else {"plain": ".txt"}.get(how.split()[0], f".txt.{how.split()[0]}")
    )
    name = chance.choice(("a", "a b", "é", "[a]", "-a", "a\nb")) + suffix
    place = case.work / "texts"
    place.mkdir()
    (place / name).write_bytes(packed)
    source = chance.choice((f"texts/{name}", f"texts/{name}", "texts", "texts/*", "text?/**"))
    if chance.random() < 0.1:
        case.setting["stdin"], source = packed, "-"
    more = [f"--data.source={source}"]
    if encoding != "utf-8" or chance.random() < 0.05:
        more.append(f"--data.encoding={encoding}")
    more += chance.choice(
        ([], [], ["--data.tokenizer=jamo"], ["--data.tokenizer=byte"], ["--data.memory-map"], ["--data.min-count=3"])
    )
    more += chance.choice(
        ([], [], [], ["--data.normalize", chance.choice(("nfc", "nfkc", "collapse_whitespace", "lowercase"))])
    )
    if chance.random() < 0.15:
        case.argv = ["evaluate", "runs/tiny", f"--source={source}", *[f"--encoding={encoding}"] * (encoding != "utf-8")]
    else:
        case.argv = [*training(more), "--run-dir=runs/new"]
    case.told = f"{how} as {name!r}"
    return case


def _text(chance: random.Random) -> tuple[bytes, str]:
    """Bytes, and the encoding they are said to have."""
    alphabets = (
        "the with block \n",
        "e\u0301한\u1112\u1161\u11ab \n",
        "a\r\n b\t",
        "\x00\x1b\x07 a",
        "🙂👩\u200d👧 ",
        "\ufeff\u2028\x85a",
        "a",
        " \n",
    )
    letters = chance.choice(alphabets)
    said = "".join(chance.choices(letters, k=chance.choice((0, 1, 5, 50, 1000, 1000, 1000, 1000, 5000))))
    if chance.random() < 0.5:
        return said.encode(), "utf-8"
    encoding = chance.choice(ENCODINGS)
    with contextlib.suppress(Exception):  # not every codec turns text to bytes
        if chance.random() < 0.6:
            return said.encode(encoding, "ignore"), encoding
    return chance.choice(
        (said.encode(), said.encode("utf-16"), said.encode("utf-32"), chance.randbytes(2000))
    ), encoding


def _packed(raw: bytes, chance: random.Random) -> tuple[bytes, str]:
    kind = chance.choice(("plain", "plain", "gz", "gz", "xz", "zip", "zip", "bz2", "tar", "twice", "bomb"))
    if kind == "gz":
        return gzip.compress(raw, mtime=0) * chance.choice((1, 1, 2)) + chance.choice((b"", b"", b"\0" * 5, b"x")), "gz"
    if kind == "xz":
        return lzma.compress(raw, format=chance.choice((lzma.FORMAT_XZ, lzma.FORMAT_ALONE))), "xz"
    if kind == "bz2":
        return bz2.compress(raw), "bz2"
    if kind == "twice":
        return gzip.compress(gzip.compress(raw, mtime=0), mtime=0), "gz twice"
    if kind == "bomb" and chance.random() < 0.15:
        return gzip.compress(b"the with a block " * 2**22, mtime=0) * 30, "gz bomb"
    if kind == "tar":
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo("a.txt")
            entry.size = len(raw)
            archive.addfile(entry, io.BytesIO(raw))
        return packed.getvalue(), "tar"
    if kind == "zip":
        packed = io.BytesIO()
        method = chance.choice((0, 8, 12, 14))
        with zipfile.ZipFile(packed, "w") as archive:
            for name in chance.sample(_MEMBERS, chance.choice((0, 1, 1, 2, 3))):
                # Without the time of its making: a case is the same whenever it is made.
                archive.writestr(zipfile.ZipInfo(name), raw, compress_type=method)
        return packed.getvalue(), "zip"
    return raw, "plain"


_MEMBERS = [
    "a.txt",
    "b.txt",
    "__MACOSX/._a.txt",
    "../up.txt",
    "/abs.txt",
    ".hidden.txt",
    "a/b/c.txt",
    "x.bin",
    "d/",
    "\x1b[31m.txt",
    "é.txt",
]


def json_files(world: World, folder: Path, chance: random.Random) -> Case:
    """config.json or tokenizer.json by another hand: in the run directory, or re-sealed in its checkpoints, or both."""
    template = chance.choice(("tiny", "transformer", "mapped"))
    case = world.case(folder, template=template, stopped=chance.random() < 0.6)
    name = chance.choices(("config.json", "tokenizer.json"), (3, 2))[0]
    where = chance.choice(("outside", "inside", "both"))
    tree = mutated_tree(json.loads((case.run / name).read_bytes()), chance)
    raw = json_bytes(tree, chance)
    if where in ("outside", "both"):
        (case.run / name).write_bytes(raw)
    if where in ("inside", "both"):
        for checkpoint in (case.run / "checkpoints").iterdir():
            (checkpoint / name).write_bytes(raw)
            reseal(checkpoint)
    case.argv = any_command(chance, template)
    case.told = f"{name} {where}"
    return case


def manifests(world: World, folder: Path, chance: random.Random) -> Case:
    """meta.json with any value in any place, sealed again or not."""
    template = chance.choice(("tiny", "transformer", "mapped"))
    case = world.case(folder, template=template, stopped=chance.random() < 0.6)
    state = chance.getstate()
    for checkpoint in (case.run / "checkpoints").iterdir():
        chance.setstate(state)  # the same in each
        if chance.random() < 0.1:
            path = checkpoint / "meta.json"
            path.write_bytes(mutated_bytes(path.read_bytes(), chance))
        else:
            with contextlib.suppress(TypeError, AttributeError):  # no longer an object: nothing to seal
                reseal(checkpoint, lambda content: _edited(content, chance))
    case.argv = any_command(chance, template)
    return case


def _edited(content: dict[str, Any], chance: random.Random) -> Any:
    kind = chance.random()
    if kind < 0.6:
        return mutated_tree(content, chance)
    if kind < 0.7:
        content["texts"].append(
            chance.choice(("../../../text.txt", "/etc/passwd", "..", "", "meta.json", "x\0", "\ud800", "arrays", 5))
        )
    elif kind < 0.8:
        content["files"][chance.choice(("../x", "/etc/passwd", "", ".", "/dev/zero", "\ud800"))] = {
            "size": 0,
            "sha256": "",
        }
    elif kind < 0.9:
        name = chance.choice(sorted(content["arrays"]))
        shape = chance.choice(([], [0], [-1], [10**9], [2**40, 2**40], [1] * 100, ["a"], [1.5], "x"))
        content["arrays"][name] = {
            "shape": shape,
            "dtype": chance.choice(("float32", "float64", "object", "foo", "int4", "bfloat16")),
        }
    else:
        place = chance.choice(sorted(content["meta"]["training"]))
        content["meta"]["training"][place] = json_value(chance)
    return content


def token_files(world: World, folder: Path, chance: random.Random) -> Case:
    """A damaged token file: what it trains on or measures must never be the damage."""
    case = world.case(folder, template="mapped", stopped=chance.random() < 0.5)
    (case.work / "text.txt").unlink()
    (case.work / "text.txt").symlink_to(world.templates / "text.txt")  # of a copy the ids would be out of date
    path = case.run / "tokens.npy"
    before = path.read_bytes()
    raw = bytearray(before)
    kind = chance.choice(("bit", "bit", "bit", "id", "any", "header", "emptied", "other", "longer"))
    if kind == "bit":
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    elif kind == "id":
        raw[chance.randrange(128, 2000)] = 255
    elif kind == "any":
        raw = bytearray(mutated_bytes(before, chance))
    elif kind == "header":
        at = chance.randrange(128)
        raw[at : at + 1] = chance.randbytes(chance.choice((0, 1, 2)))
    elif kind == "other":
        raw = bytearray(
            b"\x93NUMPY\x01\x00v\x00"
            + b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }".ljust(117)
            + b"\n"
            + b"\0" * 24
        )
    elif kind == "longer":
        raw += chance.randbytes(chance.choice((1, 8, 100)))
    else:
        raw.clear()
    path.write_bytes(raw)
    case.argv = any_command(chance, "mapped", weights=(4, 3, 1, 4))
    if case.argv[0] == "evaluate":
        case.argv = ["evaluate", "runs/tiny", "--json"]

    def check(outcome: Outcome) -> list[str]:
        if outcome.code:
            return []
        if case.argv[0] == "evaluate" and outcome.out.decode() != world.figures["mapped"]:
            return ["damage used: evaluate gives figures of damaged ids"]
        now = path.read_bytes() if case.argv[0] == "train" else before
        return [] if now == before else ["damage used: training ends with 0 and damaged ids stay"]

    case.check, case.told = check, f"tokens.npy {kind}"
    return case


def records(world: World, folder: Path, chance: random.Random) -> Case:
    """A damaged or missing metrics.csv: a run that goes on ends with the whole record."""
    stopped = chance.random() < 0.7
    case = world.case(folder, stopped=stopped)
    path = case.run / "metrics.csv"
    before = path.read_bytes()
    lines = before.splitlines(keepends=True)
    kind = chance.choice(
        ("any", "any", "letter", "deleted", "emptied", "no header", "row gone", "order", "doubled", "long", "nul")
    )
    raw = {
        "any": lambda: mutated_bytes(before, chance),
        "letter": lambda: _with_letter(before, chance),
        "emptied": lambda: b"",
        "no header": lambda: b"".join(lines[1:]),
        "row gone": lambda: b"".join(line for line in lines if line is not lines[chance.randrange(1, len(lines))]),
        "order": lambda: b"".join([lines[0], *reversed(lines[1:])]),
        "doubled": lambda: before + lines[-1],
        "long": lambda: before + b"9" * 200_000 + b",train\n",
        "nul": lambda: before.replace(b",", b"\0"),
        "deleted": lambda: b"",
    }[kind]()
    path.write_bytes(raw)
    if kind == "deleted":
        path.unlink()
    case.argv = any_command(chance, "tiny", weights=(8, 1, 1, 1))

    def check(outcome: Outcome) -> list[str]:
        whole = case.argv[0] != "train" or outcome.code or (path.exists() and path.read_bytes() == before)
        return [] if whole else ["record lost: metrics.csv is not that of a run left alone"]

    case.check, case.told = check, f"metrics.csv {kind}{', unfinished' if stopped else ''}"
    return case


def _with_letter(raw: bytes, chance: random.Random) -> bytes:
    at = chance.choice([index for index, byte in enumerate(raw) if chr(byte).isdigit()])
    return raw[:at] + b"x" + raw[at + 1 :]


KINDS: dict[str, tuple[Callable[[World, Path, random.Random], Case], int]] = {
    "sources": (sources, 15),
    "json": (json_files, 12),
    "manifests": (manifests, 10),
    "tokens": (token_files, 4),
    "records": (records, 4),
}
