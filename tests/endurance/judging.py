"""What a command may come to, what of a folder may change, and whether two runs ended the same, bit for bit.

All of it rests on what is documented: exit codes, one line for an error, and what stands in a run directory. There is
nothing of jaxseq's code in here, so that it judges any version.
"""

import contextlib
import hashlib
import json
import os
import re
import signal
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from processes import Outcome

ALLOWED = {
    signal.SIGTERM: {0, 143},  # training, asked for just this, has done what it was told
    signal.SIGINT: {130},
    signal.SIGHUP: {0, 129},
}
"""Exit codes of a command that a signal has ended."""

_TRACES = ("Traceback (most recent call last)", "Exception ignored", "Fatal Python error", "terminate called")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ON_A_TERMINAL = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def faults(outcome: Outcome, *, codes: Collection[int] = (0, 2)) -> list[str]:
    """What is wrong with the way a command ended; the first words of each name its kind."""
    found, error, code = [], outcome.error, outcome.code
    if outcome.ended in ("hang", "memory"):
        return [f"{outcome.ended}: killed after {outcome.seconds:.1f} s"]
    if any(trace in error for trace in _TRACES):
        found.append(f"traceback: {_last_line(error)}{_place(error)}")
    elif code < 0 and code not in codes:
        found.append(f"signal: ended by {signal.Signals(-code).name}")
    elif code not in (ALLOWED[signal.SIGTERM] | set(codes) if outcome.ended == "asked" else codes):
        found.append(f"exit code {code}: {_last_line(error)}")
    if code == 2 and not found:
        lines = error.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        if len(errors) != 1 or not lines[-1].startswith("error: "):
            found.append(f"not one line: {_last_line(error)}")
    if match := _CONTROLS.search(error):
        found.append(f"control character: {match[0]!r} on standard error")
    return found


def faults_on_a_terminal(shown: bytes) -> list[str]:
    """What a terminal must not be sent: escape sequences that come out of a file."""
    match = _ON_A_TERMINAL.search(shown.decode(errors="replace"))
    return [f"control character: {match[0]!r} on the terminal"] if match else []


def _last_line(text: str) -> str:
    lines = [
        line for line in text.splitlines() if line.strip() and not line.startswith((" ", "---", "For simplicity, JAX"))
    ]
    return re.sub(r"0x[0-9a-f]{6,}", "0x...", lines[-1])[:160] if lines else "(nothing was said)"


def _place(error: str) -> str:
    """Where in jaxseq a traceback comes from."""
    frames = re.findall(r'File "[^"]*/(jaxseq/[^"]*)", line \d+, in (\w+)', error)
    return f" ({frames[-1][0]}, {frames[-1][1]})" if frames else ""


def snapshot(folder: Path, *, without: Collection[Path] = ()) -> dict[str, Any]:
    """Everything under `folder` by name: kind, permissions, time, content or target."""
    found: dict[str, Any] = {}

    def look(path: Path, name: str) -> None:
        if path in without:
            return
        state = os.lstat(path)
        kind = stat.S_IFMT(state.st_mode)
        seen: list[Any] = [kind, stat.S_IMODE(state.st_mode)]
        if stat.S_ISLNK(kind):
            seen.append(os.readlink(path))
        elif stat.S_ISREG(kind):
            seen += [state.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()]
        found[name] = seen
        if stat.S_ISDIR(kind):
            for entry in sorted(os.listdir(path)):
                look(path / entry, f"{name}/{entry}")

    look(folder, folder.name)
    return found


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs between two snapshots."""
    found = []
    for name in sorted({*before, *after}, key=repr):
        if before.get(name) != after.get(name):
            what = "made" if name not in before else "deleted" if name not in after else "changed"
            found.append(f"outside: {what} {name!r}")
    return found


Which = Literal["newest", "best"]


def steps(run: Path) -> list[int]:
    """Steps of which a run has a checkpoint, oldest first."""
    with contextlib.suppress(OSError):
        return sorted(int(name) for name in os.listdir(run / "checkpoints") if name.isdigit())
    return []


def checkpoint(run: Path, which: Which) -> tuple[dict[str, Any], dict[str, bytes], dict[str, np.ndarray]] | None:
    """What a checkpoint holds: its manifest (without sums, as Orbax gives its files random names), texts, arrays."""
    from orbax import checkpoint as ocp

    for step in reversed(steps(run)):
        folder = run / "checkpoints" / f"{step:08d}"
        manifest = json.loads((folder / "meta.json").read_bytes())
        if which == "best" and not manifest["best"]:
            continue
        texts = {name: (folder / name).read_bytes() for name in manifest["texts"]}
        with ocp.PyTreeCheckpointer() as checkpointer:
            tree = checkpointer.metadata((folder / "arrays").absolute()).item_metadata.tree
            how = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in tree}
            arrays = checkpointer.restore((folder / "arrays").absolute(), restore_args=how)
        return {name: value for name, value in manifest.items() if name not in ("files", "sha256")}, texts, arrays
    return None


def differences(reference: Path, run: Path) -> list[str]:
    """What differs between two finished run directories, by name; empty where nothing does."""
    found = [
        f"different: {name}" for name in ("metrics.csv", "samples.txt", "curves.png") if not _same(reference, run, name)
    ]
    kinds: tuple[Which, ...] = ("newest", "best")
    for which in kinds:
        one, other = checkpoint(reference, which), checkpoint(run, which)
        if one is None or other is None:
            found += [f"different: {which}: no checkpoint"] if (one is None) != (other is None) else []
            continue
        found += [f"different: {which}: {name} of the manifest" for name in _keys(one[0], other[0])]
        found += [f"different: {which}: text {name}" for name in _keys(one[1], other[1])]
        arrays = [{name: (a.dtype, a.shape, a.tobytes()) for name, a in held[2].items()} for held in (one, other)]
        found += [f"different: {which}: {name}" for name in _keys(*arrays)]
    return found + [f"left over: {name}" for name in sorted(_names(run) - _names(reference))]


def _keys(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in {**one, **other} if name not in one or name not in other or one[name] != other[name]]


def _same(reference: Path, run: Path, name: str) -> bool:
    one, other = ((folder / name).read_bytes() if (folder / name).exists() else None for folder in (reference, run))
    return one == other


def _names(run: Path) -> set[str]:
    """What stands in a run directory, without what every process adds, and what is put aside on purpose."""
    names = {name for name in os.listdir(run) if not name.startswith("events.out")}
    names |= {f"checkpoints/{name}" for name in os.listdir(run / "checkpoints") if not name.isdigit()}
    return {name for name in names if ".aside" not in name}


def resealed(raw: bytes, content: dict[str, Any]) -> bytes:
    """A manifest with another content, sealed as its writer would; `raw` is one to check that against.

    Raises:
        RuntimeError: manifests are sealed in another way by now.
    """
    if _seal(json.loads(raw)) != raw:
        raise RuntimeError("meta.json is sealed in another way by now: mend resealed() in tests/endurance/judging.py")
    return _seal(content)


def _seal(content: dict[str, Any]) -> bytes:
    bare = {name: value for name, value in content.items() if name != "sha256"}
    sums = hashlib.sha256((json.dumps(bare, indent=1) + "\n").encode()).hexdigest()
    return (json.dumps({**bare, "sha256": sums}, indent=1) + "\n").encode()


def reseal(folder: Path, edit: Any = None) -> None:
    """Makes a checkpoint's manifest fit its files again, after `edit(manifest)`."""
    raw = (folder / "meta.json").read_bytes()
    content = json.loads(raw)
    for name, entry in content["files"].items():
        with contextlib.suppress(OSError):
            data = (folder / name).read_bytes()
            entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    if edit is not None:
        content = edit(content) or content
    (folder / "meta.json").write_bytes(resealed(raw, content))


def grouped(found: Iterable[tuple[str, str]]) -> list[str]:
    """Faults and the commands that replay them, as lines: a kind with its number, then an example of it."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for fault, replay in found:
        kind = re.sub(r"'[^']*'|\"[^\"]*\"|[\w./-]*\d[\w./-]*", "_", fault)
        kinds.setdefault(kind, []).append((fault, replay))
    lines = []
    for examples in sorted(kinds.values(), key=lambda examples: -len(examples)):
        lines += [f"{len(examples):5} x {examples[0][0]}", f"        {examples[0][1]}"]
    return lines
