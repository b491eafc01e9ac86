"""One checkpoint: a directory that says by itself what it holds, and whether it is whole.

In it stand

    meta.json     format version, step, the caller's meta, the spec of every array, size and SHA-256 of every other
                  file, and a SHA-256 of itself
    arrays/       the arrays, as Orbax writes them
    config.json, tokenizer.json, ...    small text files kept with it
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxseq.errors import CheckpointError
from jaxseq.training.arrays import PyTree, Spec, named_leaves, read_arrays, spec_of, to_host, write_arrays
from jaxseq.training.files import sha256, sync, write_synced

FORMAT = 1
_META, _ARRAYS = "meta.json", "arrays"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A checkpoint directory all of whose bytes have been found to be those that were written."""

    path: Path
    step: int
    best: bool
    meta: dict[str, Any]
    files: dict[str, str]
    """Content of the text files kept with it, by name."""
    specs: dict[str, Spec]
    """Shape and type of every array, by name."""

    def load(self) -> dict[str, np.ndarray]:
        """All arrays, by name."""
        return read_arrays(self.path / _ARRAYS, self.specs)

    def restore(self, template: PyTree) -> PyTree:
        """The arrays in the structure of `template`, as NumPy arrays.

        Raises:
            CheckpointError: names, shapes or types differ; the first leaf that does is named.
        """
        return self._restore(template, {name: name for name in named_leaves(template)}, set(self.specs))

    def restore_subtree(self, name: str, template: PyTree | None = None) -> PyTree:
        """The arrays under `name` alone ("params"), in the structure of `template`; without one as nested dicts.

        Raises:
            CheckpointError: there is nothing under `name`, or it differs from `template`.
        """
        inside = {full: full[len(name) + 1 :] for full in self.specs if full.startswith(f"{name}/")}
        if not inside:
            raise CheckpointError(f"{self.path} holds no {name}: it was made by something else")
        if template is not None:
            return self._restore(template, {leaf: f"{name}/{leaf}" for leaf in named_leaves(template)}, set(inside))
        tree: dict[str, Any] = {}
        for full, array in read_arrays(self.path / _ARRAYS, {full: self.specs[full] for full in inside}).items():
            *parents, last = inside[full].split("/")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = array
        return tree

    def _restore(self, template: PyTree, full_names: dict[str, str], there: set[str]) -> PyTree:
        specs = {full_names[name]: spec_of(leaf) for name, leaf in named_leaves(template).items()}
        for name in [*specs, *sorted(there - set(specs))]:
            stored, wanted = self.specs.get(name) if name in there else None, specs.get(name)
            if stored != wanted:
                raise CheckpointError(
                    f"{self.path} does not fit: {name} is {stored or 'absent'} there and {wanted or 'absent'} here; "
                    "use the configuration it was made with"
                )
        arrays = read_arrays(self.path / _ARRAYS, specs)
        return jax.tree.unflatten(jax.tree.structure(template), [arrays[name] for name in specs])


def write_snapshot(
    path: Path, step: int, arrays: PyTree, meta: Mapping[str, Any], *, files: Mapping[str, str], best: bool
) -> None:
    """Writes a checkpoint into the new directory `path` and forces every byte and entry of it to disk.

    Raises:
        TypeError: a leaf of `arrays` is no array or number, or `meta` does not go into JSON.
        ValueError: a name in `files` is none for a file here.
        OSError: it cannot be written; what has been written stays.
    """
    path.mkdir()
    for name, text in files.items():
        if name in ("", "..", _META, _ARRAYS) or Path(name).name != name:
            raise ValueError(f"{name!r} cannot name a file of a checkpoint: choose another name, without a folder")
        write_synced(path / name, text)
    host = to_host(arrays)
    write_arrays(path / _ARRAYS, host)
    manifest: dict[str, dict[str, Any]] = {}
    folders = [path]
    for entry in sorted(path.rglob("*")):
        sync(entry)
        if entry.is_dir():
            folders.append(entry)
        else:
            manifest[entry.relative_to(path).as_posix()] = {"size": entry.stat().st_size, "sha256": sha256(entry)}
    content = {
        "format": FORMAT,
        "step": step,
        "best": best,
        "meta": dict(meta),
        "texts": list(files),
        "arrays": {name: {"shape": list(array.shape), "dtype": array.dtype.name} for name, array in host.items()},
        "files": manifest,
    }
    write_synced(path / _META, _sealed(content))
    for folder in folders:
        sync(folder)


def is_marked_best(path: Path) -> bool | None:
    """Whether the checkpoint at `path` was the best when saved, by its meta.json alone; None where that is unusable."""
    try:
        return _read_meta(path)["best"]
    except CheckpointError:
        return None


def open_snapshot(path: Path) -> Snapshot:
    """The checkpoint at `path`, after reading all of its files and comparing them with its manifest.

    A file that the manifest does not list is ignored.

    Raises:
        CheckpointError: it is missing, damaged, incomplete or of another format; the message says which and where.
    """
    content = _read_meta(path)
    try:
        for name, entry in content["files"].items():
            file = path / name
            if not file.is_file():
                raise CheckpointError(f"{path} is damaged: {name} is missing")
            size = file.stat().st_size
            if size != entry["size"]:
                raise CheckpointError(f"{path} is damaged: {name} has {size} bytes instead of {entry['size']}")
            if sha256(file) != entry["sha256"]:
                raise CheckpointError(f"{path} is damaged: the content of {name} has changed")
        texts = {name: (path / name).read_bytes().decode() for name in content["texts"]}
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    specs = {name: Spec(tuple(spec["shape"]), spec["dtype"]) for name, spec in content["arrays"].items()}
    return Snapshot(path, content["step"], content["best"], content["meta"], texts, specs)


def _sealed(content: dict[str, Any]) -> str:
    """`content` as JSON with the SHA-256 of this JSON as its last entry."""

    def render(tree: dict[str, Any]) -> str:
        return json.dumps(tree, indent=1) + "\n"

    return render({**content, "sha256": hashlib.sha256(render(content).encode()).hexdigest()})


def _unsealed(raw: bytes) -> dict[str, Any] | None:
    """Inverse of `_sealed`; None where `raw` differs from what that gave by as much as a byte of white space."""
    try:
        content = json.loads(raw)
        del content["sha256"]
        return content if _sealed(content).encode() == raw else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _read_meta(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise CheckpointError(f"{path} is no checkpoint: there is no such directory")
    try:
        raw = (path / _META).read_bytes()
    except FileNotFoundError as error:
        what = "it is empty" if not any(path.iterdir()) else f"{_META} is missing"
        raise CheckpointError(f"{path} is damaged: {what}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    content = _unsealed(raw)
    if content is None:
        raise CheckpointError(f"{path} is damaged: the content of {_META} has changed")
    if content["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {content['format']}, this jaxseq reads {FORMAT}: use the one that wrote it"
        )
    return content
