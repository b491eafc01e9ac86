"""Pytrees of arrays on disk: every leaf under a readable name, written and read by Orbax, bit for bit.

Orbax restores a named tuple as a dict, a tuple as a list, and refuses empty arrays and trees, so it is given a flat
dict from names to arrays ("opt_state/0/mu/cell/kernel") and the structure stays with the caller's template.
"""

import errno
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.errors import CheckpointError

PyTree = Any

# What absl's StatusCodeToString gives, but for OK.
_STATUSES = frozenset(
    (
        *("CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
        *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
        *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
    )
)


class Spec(NamedTuple):
    """Shape and type of an array; in text "float32[128,39]"."""

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def spec_of(leaf: Any) -> Spec:
    """Shape and type of an array, of a `jax.ShapeDtypeStruct`, or of a Python number as JAX would take it."""
    if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
        return Spec(tuple(leaf.shape), leaf.dtype.name)
    return Spec((), jnp.result_type(leaf).name)


def named_leaves(tree: PyTree, *, separator: str = "/") -> dict[str, Any]:
    """The leaves of `tree` by name: keys, fields and positions joined by `separator`; None and empty containers have
    none.

    Raises:
        ValueError: two leaves come to the same name.
    """
    named: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator=separator)
        if name in named:
            raise ValueError(f"two leaves of the tree are called {name!r}: rename one of the keys")
        named[name] = leaf
    return named


def to_host(tree: PyTree) -> dict[str, np.ndarray]:
    """The leaves of `tree` by name as NumPy arrays, all fetched from their devices in one go.

    Raises:
        TypeError: a leaf is neither a number nor an array of numbers.
    """

    def as_array(name: str, leaf: Any) -> np.ndarray:
        kind = getattr(leaf, "dtype", type(leaf).__name__)
        try:
            dtype = jnp.dtype(spec_of(leaf).dtype)
        except TypeError:  # text, objects, typed random keys
            dtype = None
        if dtype is None or not (dtype == np.bool_ or jnp.issubdtype(dtype, np.number)):
            raise TypeError(f"{name} has the type {kind}: a checkpoint holds numbers and arrays of them")
        return np.asarray(leaf, dtype)

    named = named_leaves(tree)
    on_device = {name: leaf for name, leaf in named.items() if isinstance(leaf, jax.Array)}
    return {name: as_array(name, leaf) for name, leaf in {**named, **jax.device_get(on_device)}.items()}


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes `arrays` into the new directory `path`. Arrays without elements are left out: their specs say all.

    Raises:
        OSError: they cannot be written.
    """
    stored = {name: array for name, array in arrays.items() if array.size}
    if not stored:
        return
    # Asked first because a write that fails inside Orbax takes as long as one that works, and fills stderr.
    needed = sum(array.nbytes for array in stored.values()) + 1024 * len(stored)
    disk = os.statvfs(path.parent)
    if disk.f_bavail * disk.f_frsize < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    ocp = load_orbax()
    with (
        _quiet_orbax(path),
        _spelled_plainly(path) as place,
        _checkpointer(ocp, use_compression=False) as checkpointer,
    ):
        checkpointer.save(place, args=ocp.args.PyTreeSave(stored))


def read_arrays(path: Path, specs: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    """Those arrays of the directory `path` that `specs` names; others are not read.

    Raises:
        CheckpointError: they are not there, or not of those shapes and types.
    """
    stored = {name: spec for name, spec in specs.items() if math.prod(spec.shape)}
    arrays = {name: np.zeros(spec.shape, jnp.dtype(spec.dtype)) for name, spec in specs.items() if name not in stored}
    if stored:
        try:
            arrays |= _restored(path, stored)
        except MemoryError:
            raise
        except Exception as error:  # Orbax and TensorStore raise whatever comes up when files are not what they wrote
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise CheckpointError(f"{path} is damaged: its arrays cannot be read ({first[:200]})") from error
    for name, spec in specs.items():
        found = arrays.get(name)
        if not isinstance(found, np.ndarray) or spec_of(found) != spec:
            there = spec_of(found) if isinstance(found, np.ndarray) else "absent"
            raise CheckpointError(f"{path} is damaged: {name} is {there} there, its manifest says {spec}")
    return {name: arrays[name] for name in specs}


def load_orbax() -> Any:
    """Orbax's checkpointing: imported late, as it takes 0.6 s and only runs that save or restore need it."""
    from orbax import checkpoint as ocp

    return ocp


def _checkpointer(ocp: Any, **options: Any) -> Any:
    """Orbax's checkpointer for this process alone, which waits for no other that JAX knows of."""
    own = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=own, active_processes={own})
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=True, multiprocessing_options=alone, **options)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _restored(path: Path, specs: Mapping[str, Spec]) -> dict[str, Any]:
    ocp = load_orbax()
    wanted = {name: jax.ShapeDtypeStruct(spec.shape, jnp.dtype(spec.dtype)) for name, spec in specs.items()}
    how = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in specs}
    _quiet_late_errors()
    with _spelled_plainly(path) as place, _checkpointer(ocp) as checkpointer:
        return checkpointer.restore(place, args=ocp.args.PyTreeRestore(wanted, restore_args=how, partial_restore=True))


@contextmanager
def _spelled_plainly(path: Path) -> Iterator[Path]:
    """An absolute path for `path` that TensorStore takes as it is: it fails at names that are no UTF-8, reads brackets
    as a pattern and writes "a\\b" into a folder a. Such a path is gone to by a link elsewhere."""
    whole = path.absolute()
    if re.fullmatch(r"[\w/. +=@,:~-]*", str(whole)):
        yield whole
        return
    with tempfile.TemporaryDirectory(prefix="jaxseq-") as folder:
        (Path(folder) / "there").symlink_to(whole.parent)
        yield Path(folder) / "there" / whole.name


@contextmanager
def _quiet_orbax(path: Path) -> Iterator[None]:
    """Makes the errors of the system, which Orbax raises as ValueErrors after logging them at length, OSErrors."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    _quiet_late_errors()
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or (code := _system_error(error)) is None:
            raise
        raise OSError(code, os.strerror(code), str(path)) from error
    finally:
        logger.setLevel(level)


def _quiet_late_errors() -> None:
    """Of reads and writes that end after the first has failed, nothing is told from now on: TensorStore would tell an
    event loop that is closed by then, and asyncio that nobody asks for their errors. They come at any time, from any
    thread, so what keeps them quiet stays."""
    if not isinstance(sys.unraisablehook, _ButForClosedLoops):
        sys.unraisablehook = _ButForClosedLoops(sys.unraisablehook)
    logging.getLogger("asyncio").addFilter(_is_not_of_tensorstore)


def _system_error(error: BaseException) -> int | None:
    """The number of the system's error that TensorStore has put into the text of another one."""
    code = re.search(r"os_error_code='(\d+)'", str(error))
    return None if code is None else int(code[1])


def _is_not_of_tensorstore(record: logging.LogRecord) -> bool:
    """TensorStore's errors begin with the name of a status, as "OUT_OF_RANGE: ", whatever else they say."""
    error = record.exc_info[1] if record.exc_info else None
    status, colon, _ = ("" if error is None else str(error)).partition(": ")
    return not colon or status not in _STATUSES


class _ButForClosedLoops:
    """A `sys.unraisablehook` that tells all but that a loop of events was closed."""

    def __init__(self, hook: Callable[[Any], Any]) -> None:
        self._hook = hook

    def __call__(self, unraisable: Any) -> None:
        if not (unraisable.exc_type is RuntimeError and str(unraisable.exc_value) == "Event loop is closed"):
            self._hook(unraisable)
