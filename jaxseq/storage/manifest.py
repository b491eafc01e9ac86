"""The meta.json of a checkpoint: what the checkpoint holds, sealed with a SHA-256 of itself.

The seal tells damage, not malice: whoever writes a manifest can seal it. So what stands in one is believed only as far
as it can do no harm: names stay in the directory, types are those there are, and no array is larger than the files.
"""

import dataclasses
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np

from jaxseq.config import from_json
from jaxseq.errors import CheckpointError, ConfigError
from jaxseq.opening import read_bytes, read_text
from jaxseq.storage.arrays import Spec

FORMAT = 1
META, ARRAYS = "meta.json", "arrays"
_LARGEST = 2**30
_SMALL = 4096
"""Bytes up to which an array may take less room than it has: TensorStore keeps those of up to 1,024 bytes in the nodes
of its tree, which it compresses."""
_SIGNS = (b'"format": ', b'"texts": [', b'"arrays": {', b'"files": {')


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The content of a meta.json, checked."""

    step: int
    best: bool
    meta: dict[str, Any]
    """The caller's."""
    texts: list[str]
    """Names of the text files kept with it."""
    specs: dict[str, Spec]
    """Shape and type of every array, by name."""
    files: dict[str, tuple[int, str]]
    """Size and hex SHA-256 of every file but meta.json, by path."""


def seal(content: Mapping[str, Any]) -> str:
    """`content` as JSON with the SHA-256 of this JSON as its last entry."""

    def as_text(tree: Mapping[str, Any]) -> str:
        return json.dumps(tree, indent=1) + "\n"

    return as_text({**content, "sha256": hashlib.sha256(as_text(content).encode()).hexdigest()})


def unsealed(raw: bytes) -> dict[str, Any] | None:
    """Inverse of `seal`; None where `raw` differs from what that gave by as much as a byte of white space."""
    try:
        content = json.loads(raw)
        del content["sha256"]
        return content if seal(content).encode() == raw else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def render(manifest: Manifest) -> str:
    """The text of the meta.json that `read_manifest` reads as `manifest`."""
    return seal(
        {
            "format": FORMAT,
            "step": manifest.step,
            "best": manifest.best,
            "meta": manifest.meta,
            "texts": manifest.texts,
            "arrays": {name: {"shape": list(spec.shape), "dtype": spec.dtype} for name, spec in manifest.specs.items()},
            "files": {name: {"size": size, "sha256": digest} for name, (size, digest) in manifest.files.items()},
        }
    )


def read_manifest(path: Path) -> Manifest:
    """The manifest of the checkpoint at `path`.

    Raises:
        CheckpointError: it is missing, damaged, of another format, or says what cannot be; the message says which.
    """
    if not path.is_dir():
        raise CheckpointError(f"{path} is no checkpoint: there is no such directory")
    try:
        raw = read_bytes(path / META, most=_LARGEST)
    except FileNotFoundError as error:
        what = "it is empty" if not _entries(path) else f"{META} is missing"
        raise CheckpointError(f"{path} is damaged: {what}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {META}: {error.strerror}") from error
    content = unsealed(raw)
    if content is None:
        raise CheckpointError(f"{path} is damaged: the content of {META} has changed")
    made_by = content.get("format")
    if _is_count(made_by) and made_by != FORMAT:
        raise CheckpointError(f"{path} has format {made_by}, this jaxseq reads {FORMAT}: use the one that wrote it")
    return _checked(path, content)


def is_ours(path: Path) -> bool:
    """Whether jaxseq wrote the checkpoint at `path`, damaged as it may be: told by what is in it."""
    try:
        raw = read_bytes(path / META, most=_LARGEST)
    except OSError:
        raw = b""
    if unsealed(raw) is not None or sum(sign in raw for sign in _SIGNS) >= len(_SIGNS) - 1:
        return True
    try:
        from_json(read_text(path / "config.json"))
    except (OSError, UnicodeDecodeError, ConfigError):
        return False
    return True


def is_plain(name: Any) -> bool:
    """Whether `name` names a file inside the directory that it is joined to, on every system."""
    if not isinstance(name, str) or "\0" in name or "\\" in name or os.path.isabs(name):
        return False
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return not {"", ".", ".."} & set(name.split("/"))


def _checked(path: Path, content: dict[str, Any]) -> Manifest:
    """The manifest whose JSON is `content`, if that can be one."""

    def wrong(what: str) -> NoReturn:
        raise CheckpointError(f"{path} is damaged: {META} {what}")

    if not _is_count(content.get("format")):
        wrong("names no format")
    step, best, meta = (content.get(name) for name in ("step", "best", "meta"))
    if not isinstance(step, int) or not _is_count(step):
        wrong("names no step")
    if not isinstance(best, bool) or not isinstance(meta, dict):
        wrong('lacks an entry "best" or "meta" of the right type')
    texts, arrays, files = (content.get(name) for name in ("texts", "arrays", "files"))
    if not isinstance(texts, list) or not isinstance(arrays, dict) or not isinstance(files, dict):
        wrong('lacks an entry "texts", "arrays" or "files" of the right type')
    for name, entry in files.items():
        if not is_plain(name) or name == META:
            wrong(f"lists {name!r}, which is no name of a file in it")
        if not (isinstance(entry, dict) and _is_count(entry.get("size")) and _is_digest(entry.get("sha256"))):
            wrong(f"gives no size and SHA-256 of {name!r}")
    for name in texts:
        if not is_plain(name) or "/" in name or name not in files:
            wrong(f"names {name!r} as a text, which is none of its files")
    specs = {name: _spec(entry) for name, entry in arrays.items()}
    for name, spec in specs.items():
        if spec is None:
            wrong(f"gives no shape and type of {name!r}")
    known = {name: spec for name, spec in specs.items() if spec is not None}
    stored = sum(entry["size"] for name, entry in files.items() if name.startswith(f"{ARRAYS}/"))
    sizes = (math.prod(spec.shape) * jnp.dtype(spec.dtype).itemsize for spec in known.values())
    if sum(size for size in sizes if size > _SMALL) > stored:
        wrong("describes arrays larger than the files they are in")
    sizes = {name: (entry["size"], entry["sha256"]) for name, entry in files.items()}
    return Manifest(step, best, meta, texts, known, sizes)


def _spec(entry: Any) -> Spec | None:
    """The spec in a manifest's entry; None where it is none of an array of numbers that NumPy can make."""
    shape, name = (entry.get("shape"), entry.get("dtype")) if isinstance(entry, dict) else (None, None)
    if not isinstance(shape, list) or not all(map(_is_count, shape)) or len(shape) > 32:
        return None
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]{1,32}", name):
        return None
    try:
        dtype = jnp.dtype(name)
    except TypeError:
        return None
    numbers = dtype == np.bool_ or (jnp.issubdtype(dtype, np.number) and dtype.kind != "m")
    if dtype.name != name or not numbers or math.prod(max(size, 1) for size in shape) * dtype.itemsize >= 2**63:
        return None
    return Spec(tuple(shape), name)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _entries(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
