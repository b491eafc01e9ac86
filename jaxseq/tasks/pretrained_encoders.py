"""A pretrained encoder for the model that a configuration describes, and the tokenizer it was trained with."""

import hashlib
from typing import Any, NamedTuple

import numpy as np

from jaxseq.config import EncoderConfig, LabelledConfig, ModelConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.interop.encoder_files import EncoderFiles, TokenizerFile, read_encoder
from jaxseq.paths import expanded
from jaxseq.text.bert_vocabulary import read_bert_vocabulary
from jaxseq.text.delimiting import AnyTokenizer, any_tokenizer_from_text, base_of, delimiters_of
from jaxseq.text.tokenizers_json import read_tokenizers_json


class PretrainedEncoder(NamedTuple):
    """What a model starts with."""

    place: str
    params: dict[str, Any]
    """Of `jaxseq.models.TransformerEncoder`, float32; the embedding has a row for each id of the tokenizer."""
    tokenizer: AnyTokenizer

    def checksum(self) -> str:
        """16 hexadecimal digits that follow from the parameters."""
        total = hashlib.sha256()
        _add(total, self.params)
        return total.hexdigest()[:16]


def read_pretrained(path: str, model: ModelConfig, data: LabelledConfig) -> PretrainedEncoder:
    """The encoder in a folder or .safetensors, which is the one that `model` describes.

    Raises:
        ConfigError: the sections describe another one, or another way to read texts; the fields to give are named.
        InputError: it cannot be read, or its tokenizer does not fit it.
    """
    if not isinstance(model, EncoderConfig):
        raise ConfigError(f"task.weights is given and model.kind is {model.kind!r}: they are those of an encoder")
    if not data.delimit:
        raise ConfigError(
            "task.weights is given and data.delimit is False: give --data.delimit, as encoders know texts"
        )
    if data.tokenizer_file:
        raise ConfigError(
            f"task.weights is given and data.tokenizer_file is {data.tokenizer_file}: the tokenizer is that of the "
            "weights, leave it out"
        )
    files = read_encoder(expanded(path))
    _require_sizes(files, model)
    tokenizer = _tokenizer(files.tokenizer, data)
    if (kind := base_of(tokenizer).kind) != data.tokenizer:
        raise ConfigError(
            f"data.tokenizer is {data.tokenizer!r} and that in {files.place} is {kind}: give --data.tokenizer {kind}"
        )
    ids = tokenizer.vocabulary_size
    if ids > files.vocabulary_size:
        raise InputError(
            f"{files.tokenizer.path} has {ids:,} ids, and the weights beside it have {files.vocabulary_size:,}: give "
            "files that belong together"
        )
    params = {**files.params, "embedding": files.params["embedding"][:ids]}  # some have rows to fill up a multiple
    return PretrainedEncoder(files.place, params, tokenizer)


def _require_sizes(files: EncoderFiles, model: EncoderConfig) -> None:
    sizes = files.sizes._asdict()
    if sizes["positions"] != "learned":
        del sizes["context"]  # there is nothing of that size
    differing = {name: value for name, value in sizes.items() if getattr(model, name) != value}
    if differing:
        name, value = next(iter(differing.items()))
        options = " ".join(_option(*each) for each in differing.items())
        raise ConfigError(f"model.{name} is {getattr(model, name)} and {value} in {files.place}: give {options}")


def _option(name: str, value: object) -> str:
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--model.{dashed}" if value else f"--model.no-{dashed}"
    return f"--model.{dashed} {value}"


def _tokenizer(file: TokenizerFile, data: LabelledConfig) -> AnyTokenizer:
    """The tokenizer in a file; in front of one that others wrote are the normalisers of the configuration."""
    try:
        if file.is_ours:
            tokenizer = any_tokenizer_from_text(file.content)
        elif file.path.name == "vocab.txt":
            tokenizer = read_bert_vocabulary(file.content, file.options, normalize=data.normalize)
        else:
            tokenizer = read_tokenizers_json(file.content, normalize=data.normalize, padding=False)
    except InputError as error:
        raise InputError(f"{file.path} cannot be used: {error}") from error
    if delimiters_of(tokenizer) is None:
        raise InputError(f"{file.path} has no [CLS] and [SEP] that no text has: it is not that of an encoder")
    return tokenizer


def _add(total: Any, tree: Any) -> None:
    for name in sorted(tree):
        total.update(f"{name} ".encode())
        if isinstance(tree[name], dict):
            _add(total, tree[name])
        else:
            total.update(np.ascontiguousarray(tree[name]).data)
