"""One checkpoint: a directory that says by itself what it holds, and whether it is whole.

In it stand

    meta.json     format version, step, the caller's meta, the spec of every array, size and SHA-256 of every other
                  file, and a SHA-256 of itself
    arrays/       the arrays, as Orbax writes them
    config.json, tokenizer.json, ...    small files kept with it
    names.txt     while it is being written, the names of these (see `jaxseq.storage.names`)
"""

import dataclasses
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

from jaxseq.errors import CheckpointError
from jaxseq.opening import read_bytes
from jaxseq.storage.arrays import PyTree, Spec, named_leaves, read_arrays, spec_of, to_host, write_arrays
from jaxseq.storage.atomic import sha256, sync, write_synced
from jaxseq.storage.manifest import ARRAYS, META, Manifest, is_plain, read_manifest, render
from jaxseq.storage.names import NAMES, read_names, render_names

_TEXTS = ("config.json", "tokenizer.json")  # where meta.json is damaged, or an earlier version was killed
_WRITTEN_BY_ORBAX = re.compile(
    r"arrays(\.orbax-checkpoint-tmp[-.\d]*)?(/ocdbt\.process_\d+)?"
    r"(/d|/array_metadatas|(/manifest\.ocdbt|/d/[0-9a-f]{32})(\.__lock)?"
    r"|/_METADATA|/_CHECKPOINT_METADATA|/_sharding|/commit_success\.txt|/array_metadatas/process_\d+)?"
)


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A checkpoint directory all of whose bytes have been found to be those that were written."""

    path: Path
    step: int
    best: bool
    meta: dict[str, Any]
    files: dict[str, bytes]
    """Content of the files kept with it, by name."""
    specs: dict[str, Spec]
    """Shape and type of every array, by name."""

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
        for full, array in read_arrays(self.path / ARRAYS, {full: self.specs[full] for full in inside}).items():
            *parents, last = inside[full].split("/")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
                if not isinstance(node, dict):
                    raise CheckpointError(f"{self.path} is damaged: {full} lies inside of another array")
            if last in node:
                raise CheckpointError(f"{self.path} is damaged: {full} holds other arrays")
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
        arrays = read_arrays(self.path / ARRAYS, specs)
        return jax.tree.unflatten(jax.tree.structure(template), [arrays[name] for name in specs])


def write_snapshot(
    path: Path, step: int, arrays: PyTree, meta: Mapping[str, Any], *, files: Mapping[str, str | bytes], best: bool
) -> None:
    """Writes a checkpoint into the new directory `path` and forces every byte and entry of it to disk.

    Raises:
        TypeError: a leaf of `arrays` is no array or number, or `meta` does not go into JSON.
        ValueError: a name in `files` is none for a file here.
        OSError: it cannot be written; what has been written stays.
    """
    for name in files:
        if not is_plain(name) or "/" in name or name in (META, ARRAYS, NAMES):
            raise ValueError(f"{name!r} cannot name a file of a checkpoint: choose another name, without a folder")
    path.mkdir()
    write_synced(path / NAMES, render_names(files))
    for name, content in files.items():
        write_synced(path / name, content)
    host = to_host(arrays)
    write_arrays(path / ARRAYS, host)
    written: dict[str, tuple[int, str]] = {}
    folders = [path]
    for entry in sorted(path.rglob("*")):
        sync(entry)
        if entry.is_dir():
            folders.append(entry)
        elif entry != path / NAMES:
            written[entry.relative_to(path).as_posix()] = (entry.stat().st_size, sha256(entry))
    specs = {name: Spec(array.shape, array.dtype.name) for name, array in host.items()}
    write_synced(path / META, render(Manifest(step, best, dict(meta), list(files), specs, written)))
    (path / NAMES).unlink()
    for folder in folders:
        sync(folder)


def is_marked_best(path: Path) -> bool | None:
    """Whether the checkpoint at `path` was the best when saved, by its meta.json alone; None where that is unusable."""
    try:
        return read_manifest(path).best
    except CheckpointError:
        return None


def open_snapshot(path: Path) -> Snapshot:
    """The checkpoint at `path`, after reading all of its files and comparing them with its manifest.

    A file that the manifest does not list is ignored; links and what is no file at all are not, as the library that
    reads the arrays would follow them.

    Raises:
        CheckpointError: it is missing, damaged, incomplete or of another format; the message says which and where.
    """
    manifest = read_manifest(path)
    try:
        for name in _irregular(path):
            raise CheckpointError(f"{path} is damaged: {name} is a link, or neither file nor directory: remove it")
        for name, (size, digest) in manifest.files.items():
            file = path / name
            if not file.is_file():
                raise CheckpointError(f"{path} is damaged: {name} is missing")
            found = file.stat().st_size
            if found != size:
                raise CheckpointError(f"{path} is damaged: {name} has {found} bytes instead of {size}")
            if sha256(file) != digest:
                raise CheckpointError(f"{path} is damaged: the content of {name} has changed")
        kept = {name: read_bytes(path / name) for name in manifest.texts}
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return Snapshot(path, manifest.step, manifest.best, manifest.meta, kept, manifest.specs)


def remove_snapshot(path: Path) -> None:
    """Deletes what a checkpoint, finished or not, consists of, and the directory unless something else lies in it.

    Where `path` or an entry is a link, the link goes and its target stays. What names the others goes last, so that
    after a kill the next call still knows what is left.

    Raises:
        OSError: something cannot be deleted.
    """
    if path.is_symlink():
        path.unlink()
        return
    try:
        listed: Collection[str] = read_manifest(path).files
    except CheckpointError:
        listed = ()
    names = read_names(path)
    last = {META} if names is None else {META, NAMES}

    def is_ours(name: str) -> bool:
        return name in (*last, *_TEXTS, *listed, *(names or ())) or bool(_WRITTEN_BY_ORBAX.fullmatch(name))

    for name, is_folder in sorted(_entries(path), key=lambda entry: entry[0] in last):
        if is_ours(name) and not is_folder:
            (path / name).unlink()
        elif is_folder and (is_ours(name) or any(file.startswith(f"{name}/") for file in listed)):
            with suppress(OSError):  # not empty
                (path / name).rmdir()
    with suppress(OSError):
        path.rmdir()


def _entries(path: Path) -> Iterator[tuple[str, bool]]:
    """Everything below the directory `path`, what lies in a folder before it: name, and whether it is a folder."""
    for folder, subfolders, files in os.walk(path, topdown=False):
        for entry in [*files, *subfolders]:
            name = Path(folder, entry).relative_to(path).as_posix()
            yield name, entry in subfolders and not Path(folder, entry).is_symlink()


def _irregular(path: Path) -> Iterator[str]:
    """Names of what is neither a regular file nor a directory in the directory `path`."""
    for name, is_folder in _entries(path):
        if not is_folder and not stat.S_ISREG((path / name).lstat().st_mode):
            yield name
