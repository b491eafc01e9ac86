"""Which files of a run directory a run has written: told by their name and by what is in them.

Somebody's own `metrics.csv` or `samples.txt` is not ours for being called so.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from jaxseq.config import read_config
from jaxseq.data.vector_file import is_vector_file
from jaxseq.errors import InputError
from jaxseq.opening import open_regular, read_bytes
from jaxseq.reporting.curves import is_curves
from jaxseq.reporting.event_file import EVENT_FILE, is_event_file
from jaxseq.storage.listing import free_name
from jaxseq.storage.lock import is_lock
from jaxseq.tasks.task import is_of_showcase, showcase_names
from jaxseq.text.tokenizers import tokenizer_from_text

CONFIG, TOKENS, VECTORS, LOCK = "config.json", "tokens.npy", "vectors.npz", "lock"
_FIRST_OF_CONFIGS = (b'{\n  "format": 2,\n  "name": "', b'{\n  "name": "')  # of this version, of the first


def _is_config(path: Path) -> bool:
    try:
        read_config(path)
    except InputError:
        return False
    return True


def _is_tokenizer(path: Path) -> bool:
    try:
        tokenizer_from_text(read_bytes(path))
    except (OSError, InputError):
        return False
    return True


def _begins(path: Path, size: int) -> bytes | None:
    """The first bytes of a regular file; None where it is none."""
    try:
        with open_regular(path) as file:
            return file.read(size)
    except OSError:
        return None


def _is_record(path: Path) -> bool:
    return _fits(_begins(path, 100), b"step,epoch,split,")


def _is_curves(path: Path) -> bool:
    begin = _begins(path, 1000)
    return begin is not None and (begin == b"" or is_curves(begin))


def _is_of_showcase(path: Path) -> bool:
    begin = _begins(path, 1000)
    return begin is not None and (begin == b"" or is_of_showcase(path.name, begin))


def _is_partial(path: Path) -> bool:
    return _fits(_begins(path, 100), b"\x93NUMPY\x01\x00")


def _is_first_temporary(path: Path) -> bool:
    begin = _begins(path, 100)
    return any(_fits(begin, first) for first in _FIRST_OF_CONFIGS)


def _is_lock(path: Path) -> bool:
    begin = _begins(path, 100)
    return begin is not None and is_lock(begin)


def _fits(begin: bytes | None, wanted: bytes) -> bool:
    """Whether a file that begins so begins as `wanted`, as far as it goes."""
    return begin is not None and begin[: len(wanted)] == wanted[: len(begin)]


def is_token_file(path: Path) -> bool:
    """Whether `path` is a token file, a damaged one included, and not another program's array of that name."""
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 8))
            if file.read().startswith(b"jaxseq"):
                return True
            file.seek(0)
            if np.lib.format.read_magic(file) != (1, 0):
                return False
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            return len(shape) == 1 and file.tell() + shape[0] * dtype.itemsize != size  # an array alone fits exactly
    except (OSError, ValueError):
        return False


_OURS: dict[str, Callable[[Path], bool]] = {
    "metrics.csv": _is_record,
    "curves.png": _is_curves,
}
_OF_EARLIER_VERSIONS: dict[str, Callable[[Path], bool]] = {"tokenizer.json": _is_tokenizer}
_LEFT_IN_THE_FIRST_SECOND: dict[str, Callable[[Path], bool]] = {
    LOCK: _is_lock,
    TOKENS: is_token_file,
    f"{TOKENS}.partial": _is_partial,
    VECTORS: is_vector_file,
    f"{VECTORS}.partial": is_vector_file,
    f".{CONFIG}.tmp": _is_first_temporary,
}


def _ours() -> dict[str, Callable[[Path], bool]]:
    """The files of any run and those that runs of some task end with, and how each is known."""
    return {**_OURS, **dict.fromkeys(showcase_names(), _is_of_showcase)}


def written(run_dir: Path) -> Iterator[Path]:
    """The files that a run has made in `run_dir`: but for its configuration, its lock, its files of tokens and of
    vectors, and its checkpoints."""
    return (path for path in sorted(run_dir.iterdir()) if _is_written(path))


def kept(run_dir: Path) -> Iterator[Path]:
    """What outlives a fresh start: the configuration, which says whose the directory is until another one takes its
    place, the lock, and the files of tokens and of vectors, which say by themselves whether they still fit."""
    own = ((CONFIG, _is_config), (LOCK, _is_lock), (TOKENS, is_token_file), (VECTORS, is_vector_file))
    for name, is_ours in own:
        if is_ours(run_dir / name):
            yield run_dir / name


def strangers(run_dir: Path) -> list[str]:
    """Names in `run_dir`, which has neither a configuration nor a checkpoint, that are not what a run leaves that was
    killed before it had written its configuration."""
    return sorted(
        path.name
        for path in run_dir.iterdir()
        if not _LEFT_IN_THE_FIRST_SECOND.get(path.name, lambda _: False)(path) and not _is_aside(path)
    )


def make_way(run_dir: Path) -> Iterator[str]:
    """Moves aside whatever stands in `run_dir` under the name of a file that a run writes, and is not one; tells each
    in a line."""
    for name, is_ours in ((CONFIG, _is_config), *_ours().items()):
        path = run_dir / name
        with suppress(FileNotFoundError):
            path.lstat()
            if not is_ours(path):
                aside = free_name(path)
                path.rename(aside)
                yield f"{path} is none that jaxseq wrote, or damaged: it is {aside.name} now"


def _is_written(path: Path) -> bool:
    known = {**_ours(), **_OF_EARLIER_VERSIONS}
    if path.name in {f".{name}.tmp" for name in (CONFIG, *known)}:
        return not path.is_dir()
    if EVENT_FILE.fullmatch(path.name):
        return is_event_file(path)
    if path.name == f"{TOKENS}.partial":
        return _is_partial(path)
    if path.name == f"{VECTORS}.partial":
        return is_vector_file(path)
    is_ours = known.get(path.name)
    return is_ours is not None and is_ours(path)


def _is_aside(path: Path) -> bool:
    name, _, rest = path.name.partition(".aside")
    return name in (CONFIG, *_ours()) and re.fullmatch(r"(-\d+)?", rest) is not None and ".aside" in path.name
