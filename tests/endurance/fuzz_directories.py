"""Fuzzed run directories: links, pipes, devices, foreign files, permissions, missing files, odd names."""

import os
import random
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from fuzz_world import Case, World, allow, any_command, files_in, remove
from harness import without_overriding_permissions

_WRITTEN = (
    "lock",
    "config.json",
    "tokenizer.json",
    "metrics.csv",
    "samples.txt",
    "curves.png",
    "tokens.npy",
    "tokens.npy.partial",
    ".config.json.tmp",
    ".tokenizer.json.tmp",
    ".metrics.csv.tmp",
    ".samples.txt.tmp",
    ".curves.png.tmp",
    "checkpoints/.building",
    "checkpoints/.discard",
    "checkpoints/00000000",
    "checkpoints/00000002",
    "checkpoints/00000004",
    "checkpoints/00000006",
    "checkpoints/00000002.replaced",
    "checkpoints/00000004.replaced",
    "checkpoints/00000004.aside",
    "checkpoints/00000002/meta.json",
    "checkpoints/00000002/config.json",
    "checkpoints/00000002/tokenizer.json",
    "checkpoints/00000002/arrays",
    "checkpoints/00000002/arrays/manifest.ocdbt",
    "checkpoints/00000004/meta.json",
    "checkpoints/00000004/arrays",
)
"""What a run writes, opens, or once wrote."""

_FOREIGN = (
    "notes.txt",
    "checkpoints/epoch1.ckpt",
    "checkpoints/20240101/model.bin",
    "checkpoints/best.pt",
    "checkpoints/00000002x/weights",
    "checkpoints/notes/meta.json",
    "checkpoints/00000002/notes.txt",
    "model.safetensors",
    "é/ü.txt",
    "a\nb",
    "\x1b[31m",
    "\udcff",
    ".hidden",
    "config.json.bak",
    "wandb/run-1/log",
    "metrics.csv.old",
)


def _links(case: Case, chance: random.Random) -> str:
    """A link where the run reads or writes."""
    name = chance.choice(_WRITTEN)
    place = case.run / name
    targets = [
        case.outside / "victim.txt",
        case.outside / "own.json",
        case.outside / "folder",
        case.outside / "new.txt",
    ]
    targets += [
        Path("/dev/zero"),
        Path("/dev/full"),
        Path("/dev/null"),
        Path("/etc/passwd"),
        place,
        Path("../../../text.txt"),
    ]
    target = chance.choice(targets)
    if chance.random() < 0.3 and place.exists():  # what was there lies outside now
        target = case.outside / "moved"
        place.rename(target)
    elif chance.random() < 0.2 and not name.startswith("tok"):
        target = case.run / "metrics.csv"
    if place.parent.is_dir() and not place.parent.is_symlink():
        remove(place)
        place.symlink_to(target)
    return f"{name} is a link to {target.name}"


def _nodes(case: Case, chance: random.Random) -> str:
    """A pipe, a socket, a device, a folder or a file where the run reads or writes."""
    name = chance.choice(_WRITTEN)
    place = case.run / name
    if not place.parent.is_dir():
        return "nothing"
    remove(place)
    kind = chance.choice(("pipe", "pipe", "socket", "zero", "full", "folder", "full folder", "file"))
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            here = os.getcwd()
            os.chdir(place.parent)  # a socket's path is short
            server.bind(place.name)
            os.chdir(here)
    elif kind in ("zero", "full"):
        try:
            os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 5 if kind == "zero" else 7))
        except OSError:  # for root only
            os.mkfifo(place)
    elif kind == "file":
        place.write_bytes(chance.choice((b"", b"{}", b"\0" * 100, chance.randbytes(100))))
    else:
        place.mkdir()
        if kind == "full folder":
            (place / "thing").write_text("of someone's")
    return f"{name} is a {kind}"


def _foreign(case: Case, chance: random.Random) -> str:
    """Someone's files in the run directory, which must outlive whatever is done."""
    names = chance.sample(_FOREIGN, chance.choice((1, 2, 4)))
    for name in names:
        place = case.run / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("mine")
            if not name.startswith("checkpoints/0000"):  # a checkpoint goes with all that is in it
                case.kept.append(place)
    return f"foreign {', '.join(names)}"


def _no_run(case: Case, chance: random.Random) -> str:
    """A folder that is no run at all, with files of the same names in it."""
    shutil.rmtree(case.run)
    case.run.mkdir()
    ours = (
        "metrics.csv",
        "config.json",
        "tokenizer.json",
        "samples.txt",
        "curves.png",
        "checkpoints/00000005/weights.bin",
        "tokens.npy",
    )
    names = chance.sample((*ours, *_FOREIGN[:8]), chance.choice((1, 1, 2, 3)))
    for name in names:
        place = case.run / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(chance.choice(("epoch,loss\n1,2.5\n", "{}", "", '{"model": "gpt"}')))
        case.kept.append(place)
    case.argv = any_command(chance, "tiny", weights=(3, 3, 1, 1))
    return f"no run, but {', '.join(names)}"


def _permissions(case: Case, chance: random.Random) -> str:
    """Something that may not be read, or written, or gone into."""
    paths = [case.run, case.run / "checkpoints", *files_in(case.run), *(case.run / "checkpoints").iterdir()]
    path, mode = chance.choice(paths), chance.choice((0o000, 0o200, 0o400, 0o444, 0o500, 0o555, 0o100, 0o111))
    case.setting["before"] = lambda: (path.chmod(mode), without_overriding_permissions())
    case.setting["after"] = lambda: allow(path)
    return f"{path.relative_to(case.run)} has mode {mode:o}"


def _missing(case: Case, chance: random.Random) -> str:
    """Files of the run that are gone, emptied, cut or swapped."""
    files = files_in(case.run)
    told = []
    for path in chance.sample(files, chance.choice((1, 1, 2, len(files) // 2))):
        kind = chance.choice(("gone", "gone", "emptied", "cut", "another's"))
        if kind == "gone":
            path.unlink()
        elif kind == "another's":
            others = [other for other in files_in(case.run) if other != path]
            shutil.copy2(chance.choice(others), path)
        else:
            path.write_bytes(path.read_bytes()[: 0 if kind == "emptied" else chance.randrange(path.stat().st_size + 1)])
        told.append(f"{path.relative_to(case.run)} {kind}")
    return ", ".join(told[:3])


def _names(case: Case, chance: random.Random) -> str:
    """A run directory, or a checkpoint, of an odd name."""
    if chance.random() < 0.5:
        odd = (
            "9" * 30,
            "00000000",
            "00000009",
            "4",
            "٠٠٠٠٠٠٠٤",
            "00000004.replaced",
            "00000004 ",
            "-0000004",
            "00000004.aside",
            "1e5",
        )
        name = chance.choice(odd)
        place = case.run / "checkpoints" / name
        if not place.exists():
            shutil.copytree(case.run / "checkpoints" / "00000002", place) if chance.random() < 0.5 else place.mkdir()
        return f"a checkpoint {name[:20]!r}"
    odd = ("a\nb", "\x1b[31m", "\udcff", "-x", "a b", "é", "x" * 255, "~", "'", "*", "%s", "a.zip", "{}", "\\")
    name = chance.choice(odd)
    case.run.rename(case.run.with_name(name))
    case.argv = [word.replace("runs/tiny", f"runs/{name}") for word in case.argv]
    return f"the run {name[:20]!r}"


def _huge(case: Case, chance: random.Random) -> str:
    """A file of gigabytes, or a thousand files, where little is expected."""
    if chance.random() < 0.5:
        name = chance.choice([name for name in _WRITTEN if "." in Path(name).name and "building" not in name])
        place = case.run / name
        if place.parent.is_dir() and not place.is_dir():
            with open(place, "ab") as file:
                file.truncate(chance.choice((10**8, 8 * 10**9)))
        return f"{name} is huge"
    for number in range(1000):
        (case.run / "checkpoints" / f"{number + 10:08d}").mkdir()
    return "1000 empty checkpoints"


_CHANGES: dict[Callable[[Case, random.Random], str], int] = {
    _links: 30,
    _nodes: 16,
    _foreign: 12,
    _no_run: 12,
    _permissions: 10,
    _missing: 10,
    _names: 7,
    _huge: 3,
}


def directories(world: World, folder: Path, chance: random.Random) -> Case:
    """A run directory from a stranger, or one with a stranger's things in it."""
    template = chance.choice(("tiny", "tiny", "mapped"))
    case = world.case(folder, template=template, stopped=chance.random() < 0.6)
    case.argv = any_command(chance, template, weights=(4, 3, 2, 2))
    change = chance.choices(list(_CHANGES), list(_CHANGES.values()))[0]
    case.told = change(case, chance)
    if change in (_links, _nodes, _missing) and chance.random() < 0.25:
        case.told += f"; {chance.choice((_links, _nodes, _foreign, _missing))(case, chance)}"
    return case


KINDS: dict[str, tuple[Callable[[World, Path, random.Random], Case], int]] = {"directories": (directories, 16)}
