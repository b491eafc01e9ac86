"""BERT (Devlin et al. 2019) and its kin, as Hugging Face's library transformers names their weights.

There a kernel is [out, in] and queries, keys and values are apart; here it is [in, out] and they are side by side. The
pooler and heads of pretraining are left where they are. Older files call a norm's weight and bias gamma and beta.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.encoder_params import EncoderSizes, Names, take, tree_of
from jaxseq.reading import shown

_PREFIXES = ("", "bert.")
"""Of the names: in files of the encoder alone, and of an encoder with a head."""
_WORDS = "embeddings.word_embeddings.weight"
_SIZES = {
    "features": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "context": "max_position_embeddings",
    "segments": "type_vocab_size",
}
_OLD_NAMES = {"gamma": "weight", "beta": "bias"}


def bert_sizes(config: Mapping[str, Any], *, place: str) -> EncoderSizes:
    """Those that a config.json of `model_type` "bert" says.

    Raises:
        InputError: it is of another architecture, or a size is missing or none.
    """
    for field, own, usual in (
        ("model_type", "bert", None),
        ("hidden_act", "gelu", "gelu"),
        ("position_embedding_type", "absolute", "absolute"),
        ("is_decoder", False, False),
    ):
        value = config.get(field, usual)
        if value != own:
            raise InputError(f"{place}: {field} is {shown(value)}: only encoders with {own} are read")
    sizes = {name: _count(config, field, place) for name, field in _SIZES.items()}
    width, wide = sizes["features"], _count(config, "intermediate_size", place)
    for field, value, of in (
        ("hidden_size", width, sizes["heads"]),
        ("intermediate_size", wide, width),
    ):
        if value % of:
            raise InputError(f"{place}: {field} is {value}, no multiple of {of}: give an encoder where it is")
    epsilon = config.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise InputError(f"{place}: layer_norm_eps is {shown(epsilon)}: it must be a number above 0 and below 1")
    return EncoderSizes(**sizes, positions="learned", norm="post", epsilon=epsilon, mlp_ratio=wide // width, bias=True)


def bert_params(tensors: Mapping[str, NDArray[Any]], sizes: EncoderSizes, *, place: str) -> dict[str, Any]:
    """The parameters of `jaxseq.models.TransformerEncoder` of these sizes.

    Raises:
        InputError: a tensor is missing, has another shape, or is not of finite numbers.
    """
    tensors = {_renamed(name): array for name, array in tensors.items()}
    prefix = next((prefix for prefix in _PREFIXES if prefix + _WORDS in tensors), "")
    d, wide = sizes.features, sizes.features * sizes.mlp_ratio
    if any(name.startswith(f"{prefix}encoder.layer.{sizes.layers}.") for name in tensors):
        raise InputError(f"{place} has more layers than the {sizes.layers} of the configuration beside it: fetch both")

    def of(name: str, *shape: int) -> NDArray[np.float32]:
        return take(tensors, prefix + name, shape or None, place=place)

    def norm(name: str) -> dict[str, NDArray[np.float32]]:
        return {"scale": of(f"{name}.weight", d), "bias": of(f"{name}.bias", d)}

    words = of(_WORDS)
    found: dict[Names, Any] = {
        ("embedding",): of(_WORDS, len(words), d),
        ("position_table",): of("embeddings.position_embeddings.weight", sizes.context, d),
        ("segment_table",): of("embeddings.token_type_embeddings.weight", sizes.segments, d),
        ("norm",): norm("embeddings.LayerNorm"),
    }
    for number in range(sizes.layers):
        block, layer = f"block_{number}", f"encoder.layer.{number}"
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        found |= {
            (block, "attention", "input", "kernel"): np.concatenate([of(f"{p}.weight", d, d).T for p in parts], 1),
            (block, "attention", "input", "bias"): np.concatenate([of(f"{p}.bias", d) for p in parts]),
            (block, "attention", "output", "kernel"): of(f"{layer}.attention.output.dense.weight", d, d).T,
            (block, "attention", "output", "bias"): of(f"{layer}.attention.output.dense.bias", d),
            (block, "attention_norm"): norm(f"{layer}.attention.output.LayerNorm"),
            (block, "feed_forward", "input", "kernel"): of(f"{layer}.intermediate.dense.weight", wide, d).T,
            (block, "feed_forward", "input", "bias"): of(f"{layer}.intermediate.dense.bias", wide),
            # Here the kernel back to d is transposed as well.
            (block, "feed_forward", "output", "kernel"): of(f"{layer}.output.dense.weight", d, wide),
            (block, "feed_forward", "output", "bias"): of(f"{layer}.output.dense.bias", d),
            (block, "feed_forward_norm"): norm(f"{layer}.output.LayerNorm"),
        }
    return tree_of(found)


def _count(config: Mapping[str, Any], field: str, place: str) -> int:
    value = config.get(field)
    if type(value) is not int or value < 1:
        raise InputError(f"{place}: {field} is {shown(value)}: it must be a number from 1 on")
    return value


def _renamed(name: str) -> str:
    before, _, last = name.rpartition(".")
    return f"{before}.{_OLD_NAMES[last]}" if last in _OLD_NAMES else name
