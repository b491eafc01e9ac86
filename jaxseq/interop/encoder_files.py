"""Pretrained Transformer encoders in a folder: those of BERT's family, and those that `jaxseq export` wrote.

config.json         of BERT's family as Hugging Face writes it (`jaxseq.interop.bert_files`), or our own experiment
model.safetensors   the weights
tokenizer.json      or vocab.txt: what cuts texts into the tokens that the weights know
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.bert_files import bert_params, bert_sizes
from jaxseq.interop.encoder_params import EncoderSizes, param_shapes, take, tree_of
from jaxseq.interop.safetensors_files import read_safetensors
from jaxseq.opening import LARGEST_TEXT, open_regular
from jaxseq.reading import reading, shown

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZERS = ("tokenizer.json", "vocab.txt")
_OPTIONS = "tokenizer_config.json"
_BODIES = ("body.", "frozen.body.")
"""Before the names of an encoder in what `jaxseq export` wrote, the latter where it was left as it was."""


class TokenizerFile(NamedTuple):
    """A tokenizer as it lies in the folder."""

    path: Path
    content: bytes
    is_ours: bool
    """Whether it is one of `jaxseq.text`, and not of the library `tokenizers` or a list of words."""
    options: Mapping[str, Any]
    """What tokenizer_config.json says besides; empty without such a file."""


class EncoderFiles(NamedTuple):
    """A pretrained encoder."""

    place: str
    """Its folder, for messages."""
    sizes: EncoderSizes
    params: dict[str, Any]
    """Nested, by the names of `jaxseq.models.TransformerEncoder`; float32."""
    tokenizer: TokenizerFile

    @property
    def vocabulary_size(self) -> int:
        """Tokens that have a vector."""
        return len(self.params["embedding"])


def read_encoder(path: Path) -> EncoderFiles:
    """The encoder in a folder, or in the folder that a .safetensors lies in.

    Raises:
        InputError: a file is missing or damaged; it is another architecture; a tensor is missing, has another shape
            than the configuration says, or holds what is not finite; or the library safetensors is missing.
    """
    folder, weights = (path.parent, path) if path.suffix == ".safetensors" else (path, path / WEIGHTS)
    if not folder.is_dir():
        there = "is a file, not a folder with a model.safetensors" if folder.exists() else "is not there"
        raise InputError(f"the encoder {shown(path)} {there}: give a folder, or the .safetensors in it")
    config = _object(folder / CONFIG)
    if "model_type" in config:
        sizes = bert_sizes(config, place=shown(folder / CONFIG))
        params = bert_params(_tensors(weights), sizes, place=shown(weights))
    else:
        sizes = _own_sizes(config, place=shown(folder / CONFIG))
        params = _own_params(_tensors(weights), sizes, place=shown(weights))
    return EncoderFiles(shown(folder), sizes, params, _tokenizer(folder, is_ours="model_type" not in config))


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    if not path.exists():
        raise InputError(
            f"{shown(path.parent)} has no {shown(path.name)}: give a folder whose weights are in that format, in one "
            "file"
        )
    return read_safetensors(path)


def _own_sizes(config: Mapping[str, Any], *, place: str) -> EncoderSizes:
    """Those in the model section of an experiment.

    Raises:
        InputError: it is none of an encoder, or does not say all of them.
    """
    task, model = (config.get(name) for name in ("task", "model"))
    if not isinstance(task, dict) or not isinstance(model, dict):
        raise InputError(f"{place} is neither an experiment of jaxseq nor says its model_type: give another folder")
    if model.get("kind") != "encoder":
        raise InputError(
            f"{place} is of model.kind {shown(model.get('kind'))}: weights to start from are those of encoder"
        )
    found = {}
    for name, kind in EncoderSizes.__annotations__.items():
        value = model.get(name)
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise InputError(f"{place}: model.{name} is {shown(value)}, not {kind.__name__}: export the run again")
        found[name] = value
    return EncoderSizes(**found)


def _own_params(tensors: Mapping[str, NDArray[Any]], sizes: EncoderSizes, *, place: str) -> dict[str, Any]:
    body = next((name for name in _BODIES if any(each.startswith(name) for each in tensors)), _BODIES[0])
    found: dict[tuple[str, ...], NDArray[np.float32]] = {}
    rows = len(take(tensors, f"{body}embedding", None, place=place))
    for names, shape in param_shapes(sizes, rows):
        found[names] = take(tensors, body + ".".join(names), shape, place=place)
    known = {body + ".".join(names) for names in found}
    if more := sorted(name for name in tensors if name.startswith(body) and name not in known):
        raise InputError(f"{place} has {shown(more[0])}, which is not in the configuration beside it: export it again")
    return tree_of(found)


def _tokenizer(folder: Path, *, is_ours: bool) -> TokenizerFile:
    for name in TOKENIZERS[:1] if is_ours else TOKENIZERS:
        if (folder / name).exists():
            options = {} if is_ours or not (folder / _OPTIONS).exists() else _object(folder / _OPTIONS)
            return TokenizerFile(folder / name, _read(folder / name), is_ours, options)
    wanted = " and no ".join(TOKENIZERS[:1] if is_ours else TOKENIZERS)
    raise InputError(f"{shown(folder)} has no {wanted}: texts cannot be read as the encoder knows them")


def _object(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise InputError(f"{shown(path.parent)} has no {path.name}, which says what the weights are of: add it")
    try:
        tree = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)} is damaged: it is no JSON ({shown(error)}): fetch it again") from error
    if not isinstance(tree, dict):
        raise InputError(f"{shown(path)} is no object in JSON: fetch it again")
    return tree


def _read(path: Path) -> bytes:
    with reading(path), open_regular(path) as file:
        content = file.read(LARGEST_TEXT + 1)
    if len(content) > LARGEST_TEXT:
        raise InputError(f"{shown(path)} has more than {LARGEST_TEXT:,} bytes: it is no {path.name}")
    return content
