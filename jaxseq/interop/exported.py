"""Functions that a process with JAX alone loads and runs: their weights, and programs by `jax.export` that take these.

A folder of them (docs/exporting.md) holds

model.safetensors   the weights by name, each once however many places it has
NAME.jaxexport      a function (weights, *inputs) -> outputs for CPU, CUDA and TPU: `jax.export.deserialize` reads it
export.json         names, shapes and types of what goes in and comes out, and what the caller adds; sealed

and files of the caller's.

Sizes may be left open: shapes hold symbols of `jax.export.symbolic_shape` then, which stand for all sizes from 1 on.

Where a function has a tree, the program has a dict from the names of its leaves to arrays. Named tuples would ask for
their classes where they are read (jax#20134), and dicts with numbers for keys cannot be written (jax#32680).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.export
import numpy as np
from jax import Array
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.safetensors_files import write_safetensors
from jaxseq.storage.arrays import named_leaves
from jaxseq.storage.atomic import sha256, write_synced, writing
from jaxseq.storage.manifest import seal
from jaxseq.storage.new_folder import new_folder

FORMAT = 1
WEIGHTS, MANIFEST, SUFFIX = "model.safetensors", "export.json", ".jaxexport"
PLATFORMS = ("cpu", "cuda", "tpu")
LIBRARY = "jax.export keeps functions with the library flatbuffers: pip install 'jaxseq[interop]'"


@dataclass(frozen=True)
class ExportedFunction:
    """A pure function, and what goes in and comes out."""

    function: Callable[..., Any]
    """(weights, *inputs) -> one output, or a tuple of several."""
    inputs: Mapping[str, Any]
    """By name, in order: a `jax.ShapeDtypeStruct`, or a tree of such. Symbols in their shapes are of one scope."""
    outputs: tuple[str, ...]
    """Names, in order."""
    example: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Of the inputs, some of sizes that go together: what the function can be tried on; a carry is left out."""
    most: Mapping[str, int] = field(default_factory=dict)
    """The largest that sizes may be which are open up to there, by their symbols."""


def named(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by name: keys, fields and positions joined by dots.

    Raises:
        ValueError: two leaves come to the same name.
    """
    return named_leaves(tree, separator=".")


def write_functions(
    folder: Path,
    functions: Mapping[str, ExportedFunction],
    weights: Any,
    *,
    metadata: Mapping[str, Any] | None = None,
    header: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    poll: Callable[[], None] = lambda: None,
) -> None:
    """Writes the folder, which appears when it is whole.

    Args:
        functions: by name, which must be an identifier.
        weights: what all of them take: a tree of arrays, or a dict of them by name. An array that stands in several
            places is written once, under the first name.
        metadata: anything that JSON holds, for export.json.
        header: texts by name that go with the weights in their own file.
        files: what else is to be in the folder, by names that are none of its own.
        poll: called before each function.

    Raises:
        InputError: something is at `folder` already, unless that is an empty folder; it cannot be written; or a library
            is missing.
    """
    for name in functions:
        if not name.isidentifier():
            raise ValueError(f"a function is called {name!r}: give it a name that is an identifier")
    stored, places = _each_once(named(weights))
    with new_folder(folder) as building, writing(folder):
        for name, content in (files or {}).items():
            write_synced(building / name, content)
        _write_weights(building / WEIGHTS, stored, places, header)
        described = {}
        for name, function in functions.items():
            poll()
            program = _exported(name, function, weights, stored, places)
            try:
                content = bytes(program.serialize())
            except ImportError as error:
                raise InputError(LIBRARY) from error
            write_synced(building / (name + SUFFIX), content)
            described[name] = _description(function, program)
        paths = sorted(building.iterdir())
        manifest = {
            "format": FORMAT,
            "jax": jax.__version__,
            "platforms": list(PLATFORMS),
            "functions": described,
            "metadata": dict(metadata or {}),
            "files": {path.name: {"size": path.stat().st_size, "sha256": sha256(path)} for path in paths},
        }
        write_synced(building / MANIFEST, seal(manifest))


def write_weights(path: Path, weights: Any, *, header: Mapping[str, str] | None = None) -> None:
    """The weights alone, in one file that appears when it is whole; arguments as `write_functions`.

    Raises:
        InputError: it cannot be written, or the library is missing.
    """
    _write_weights(path, *_each_once(named(weights)), header)


def _write_weights(
    path: Path, stored: Mapping[str, NDArray[Any]], places: Mapping[str, str], header: Mapping[str, str] | None
) -> None:
    write_safetensors(path, {name: stored[place] for name, place in places.items()}, metadata=header)


def _each_once(weights: Mapping[str, Any]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays that are stored, of the types that JAX takes them in; and for each name the one that its array is
    stored under."""
    arrays = {name: np.asarray(array) for name, array in weights.items()}  # all of them held, so places are theirs
    first: dict[Any, str] = {}
    places = {}
    for name, array in arrays.items():
        # An empty array may lie anywhere.
        memory = (array.ctypes.data, array.shape, array.strides, array.dtype) if array.size else name
        places[name] = first.setdefault(memory, name)
    stored = {
        name: np.asarray(arrays[name], jax.dtypes.canonicalize_dtype(arrays[name].dtype)) for name in first.values()
    }
    return stored, places


def _exported(
    name: str, function: ExportedFunction, weights: Any, stored: Mapping[str, NDArray[Any]], places: Mapping[str, str]
) -> jax.export.Exported:
    """The function with dicts for trees, for all platforms."""
    trees = [jax.tree.structure(tree) for tree in (weights, *function.inputs.values())]
    orders = [list(places), *(list(named(tree)) for tree in function.inputs.values())]

    def flat(weights: Mapping[str, Array], *inputs: Any) -> Any:
        given = [{own: weights[place] for own, place in places.items()}, *inputs]
        built = [_tree(*parts) for parts in zip(trees, orders, given, strict=True)]
        result = function.function(*built)
        if len(function.outputs) == 1:
            return _flat(result)
        return tuple(_flat(part) for _, part in zip(function.outputs, result, strict=True))

    flat.__name__ = name
    shapes = {own: jax.ShapeDtypeStruct(array.shape, array.dtype) for own, array in stored.items()}
    with _without_places():
        return jax.export.export(jax.jit(flat), platforms=PLATFORMS)(shapes, *map(_flat, function.inputs.values()))


def _is_leaf(tree: Any) -> bool:
    return jax.tree_util.treedef_is_leaf(jax.tree.structure(tree))


def _flat(tree: Any) -> Any:
    """A leaf as it is; the leaves of a tree by name."""
    return tree if _is_leaf(tree) else named(tree)


def _tree(tree: Any, order: list[str], given: Any) -> Any:
    """Inverse of `_flat`."""
    return given if jax.tree_util.treedef_is_leaf(tree) else jax.tree.unflatten(tree, [given[name] for name in order])


@contextmanager
def _without_places() -> Iterator[None]:
    """While entered, programs do not say where in the source their operations come from: that would be this machine's
    folders, and other bytes on another one."""
    setting = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, setting)
    jax.config.update(setting, 0)
    try:
        yield
    finally:
        jax.config.update(setting, before)


def _description(function: ExportedFunction, program: jax.export.Exported) -> dict[str, Any]:
    """What goes in and comes out, for export.json."""
    ((_, *inputs), _), outputs = inputs_of(program), outputs_of(program)
    outputs = (outputs,) if len(function.outputs) == 1 else outputs
    return {
        "inputs": [{"name": name, **_spec(part)} for name, part in zip(function.inputs, inputs, strict=True)],
        "outputs": [{"name": name, **_spec(part)} for name, part in zip(function.outputs, outputs, strict=True)],
        **({"most": dict(function.most)} if function.most else {}),
    }


def inputs_of(program: jax.export.Exported) -> Any:
    """((weights, *inputs), {}) as shapes and types."""
    return jax.tree.unflatten(program.in_tree, program.in_avals)


def outputs_of(program: jax.export.Exported) -> Any:
    """The outputs as shapes and types."""
    return jax.tree.unflatten(program.out_tree, program.out_avals)


def _spec(part: Any) -> dict[str, Any]:
    if isinstance(part, dict):
        return {"arrays": {name: _spec(leaf) for name, leaf in part.items()}}
    sizes = [str(size) if jax.export.is_symbolic_dim(size) else int(size) for size in part.shape]
    return {"shape": sizes, "dtype": part.dtype.name}
