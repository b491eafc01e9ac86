"""The functions of a folder that `jaxseq.interop.exported` has written, read back and checked.

docs/exporting.md has a script that reads them without this package.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.export
from jax import Array

from jaxseq.errors import InputError
from jaxseq.interop.exported import FORMAT, LIBRARY, MANIFEST, SUFFIX, WEIGHTS, inputs_of
from jaxseq.interop.safetensors_files import read_safetensors
from jaxseq.opening import read_bytes
from jaxseq.reading import reading, shown
from jaxseq.storage.atomic import sha256
from jaxseq.storage.manifest import unsealed

_PARTS = ("functions", "files", "metadata")


@dataclass(frozen=True)
class LoadedFunction:
    """A function read from a file; called with its inputs it gives its outputs, a tuple where there are several.

    Inputs and outputs are arrays, or dicts of such by name. It is compiled anew for each size that is open.
    """

    name: str
    inputs: Mapping[str, Any]
    """Shapes and types by name: what has `shape` and `dtype`, or a dict of such."""
    outputs: tuple[str, ...]
    most: Mapping[str, int]
    """The largest that open sizes may be, where they end somewhere."""
    weights: Mapping[str, Array]
    run: Callable[..., Any]
    """(weights, *inputs) -> outputs."""

    def __call__(self, *inputs: Any) -> Any:
        """The outputs.

        Raises:
            InputError: an input has another shape or type.
        """
        if len(inputs) != len(self.inputs):
            raise InputError(f"{self.name} takes {', '.join(self.inputs)}: {len(inputs)} inputs were given")
        sizes: dict[str, int] = {}
        for (name, wanted), given in zip(self.inputs.items(), inputs, strict=True):
            if not isinstance(wanted, dict):
                self._check(name, wanted, given, sizes)
                continue
            if not isinstance(given, dict) or given.keys() != wanted.keys():
                raise InputError(f"{self.name}: {name} must be a dict of arrays called {', '.join(wanted)}")
            for own, part in wanted.items():
                self._check(f"{name}[{own!r}]", part, given[own], sizes)
        return self.run(self.weights, *inputs)

    def _check(self, name: str, wanted: Any, given: Any, sizes: dict[str, int]) -> None:
        if not hasattr(given, "shape") or not hasattr(given, "dtype"):
            raise InputError(f"{self.name}: {name} is no array, it must be {_shown(wanted)}")
        known = [f", {size} is {sizes[str(size)]} here" for size in wanted.shape if str(size) in sizes]
        known += [f", {size} up to {self.most[str(size)]}" for size in wanted.shape if str(size) in self.most]
        # Sizes that are open are the same wherever they have one name, and not 0.
        right = len(given.shape) == len(wanted.shape) and all(
            0 < size <= self.most.get(str(wish), size) and size == sizes.setdefault(str(wish), size)
            if jax.export.is_symbolic_dim(wish)
            else size == wish
            for size, wish in zip(given.shape, wanted.shape, strict=True)
        )
        if not right or jax.dtypes.canonicalize_dtype(given.dtype) != wanted.dtype:
            raise InputError(f"{self.name}: {name} is {_shown(given)}, it must be {_shown(wanted)}{''.join(known)}")


class Loaded(NamedTuple):
    """What a folder holds."""

    functions: dict[str, LoadedFunction]
    weights: dict[str, Array]
    metadata: dict[str, Any]


def read_functions(folder: Path) -> Loaded:
    """The functions by name, their weights on the default device, and the metadata they were written with.

    Raises:
        InputError: it holds no such functions, or something is missing, damaged, or for another release of JAX.
    """
    manifest = _manifest(folder)
    for name in (WEIGHTS, *(name + SUFFIX for name in manifest["functions"])):
        _check_file(folder / name, manifest["files"].get(name))
    arrays = read_safetensors(folder / WEIGHTS)
    programs = {name: _program(folder / (name + SUFFIX)) for name in manifest["functions"]}
    taken: dict[str, Any] = {}
    for name, program in programs.items():
        (wanted, *_), _ = inputs_of(program)
        _check_weights(arrays, wanted, folder / (name + SUFFIX))
        taken |= wanted
    weights = jax.device_put({name: arrays[name] for name in taken})
    functions = {}
    for name, program in programs.items():
        (_, *inputs), _ = inputs_of(program)
        entry = manifest["functions"][name]
        names = [part["name"] for part in entry["inputs"]]
        functions[name] = LoadedFunction(
            name=name,
            inputs=dict(zip(names, inputs, strict=True)),
            outputs=tuple(part["name"] for part in entry["outputs"]),
            most=entry.get("most", {}),
            weights=weights,
            run=jax.jit(program.call),
        )
    return Loaded(functions, weights, manifest["metadata"])


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.exists():
        raise InputError(f"{shown(folder)} holds no exported functions: {MANIFEST} is missing")
    with reading(path):
        content = unsealed(read_bytes(path))
    if content is None:
        raise InputError(f"{shown(path)} is damaged: export it again")
    if content.get("format") != FORMAT or not all(isinstance(content.get(part), dict) for part in _PARTS):
        raise InputError(f"{shown(path)} has the format {shown(content.get('format'))}, this release reads {FORMAT}")
    return content


def _check_file(path: Path, entry: Mapping[str, Any] | None) -> None:
    """Whether it is as the manifest says: JAX checks nothing of what it deserialises."""
    if not path.exists():
        raise InputError(f"{shown(path)} is missing: export it again")
    with reading(path):
        found = {"size": path.stat().st_size, "sha256": sha256(path)}
    if found != entry:
        raise InputError(f"{shown(path)} is damaged, it is not what was written: export it again")


def _program(path: Path) -> jax.export.Exported:
    with reading(path):
        content = bytearray(read_bytes(path, most=path.stat().st_size))
    try:
        return jax.export.deserialize(content)
    except ImportError as error:
        raise InputError(LIBRARY) from error
    except Exception as error:  # whatever it stumbles over in what another release has written
        raise InputError(
            f"{shown(path)} cannot be read by JAX {jax.__version__} ({shown(error)}): export it with this release"
        ) from error


def _check_weights(arrays: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    """Before a program is run with weights that it was not made for."""
    for name, wish in wanted.items():
        there = _shown(arrays[name]) if name in arrays else "none"
        if there != _shown(wish):
            raise InputError(
                f"{shown(path)} takes {shown(name)} as {_shown(wish)}, {WEIGHTS} has {there}: export both together"
            )


def _shown(array: Any) -> str:
    """Type and shape."""
    return f"{array.dtype.name} [{', '.join(map(str, array.shape))}]"
