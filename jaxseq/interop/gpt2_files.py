"""GPT-2 as Hugging Face's library has it: its tensors as parameters of `jaxseq.models.Transformer`.

Its linear layers are `Conv1D`, whose weight is [in, out], as a kernel is here; c_attn makes queries, keys and values
side by side, heads side by side in each, as attention here does. Only the last projection of a block is laid out the
other way here ([in, out] there, transposed here). The output layer is the embedding; a file may hold it once more, as
lm_head.weight. GELU is the approximation by tanh ("gelu_new"), and norms add 1e-5 to a variance.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.interop.named_params import Tensor
from jaxseq.reading import shown

_OUTER = {
    "wte.weight": "embedding",
    "wpe.weight": "position_table",
    "ln_f.weight": "norm/scale",
    "ln_f.bias": "norm/bias",
}
_OF_A_BLOCK = {
    "ln_1.weight": "attention_norm/scale",
    "ln_1.bias": "attention_norm/bias",
    "attn.c_attn.weight": "attention/input/kernel",
    "attn.c_attn.bias": "attention/input/bias",
    "attn.c_proj.weight": "attention/output/kernel",
    "attn.c_proj.bias": "attention/output/bias",
    "ln_2.weight": "feed_forward_norm/scale",
    "ln_2.bias": "feed_forward_norm/bias",
    "mlp.c_fc.weight": "feed_forward/input/kernel",
    "mlp.c_fc.bias": "feed_forward/input/bias",
    "mlp.c_proj.weight": "feed_forward/output/kernel",
    "mlp.c_proj.bias": "feed_forward/output/bias",
}
_HEAD = "lm_head.weight"
_BUFFERS = ("attn.bias", "attn.masked_bias")
"""Masks, which some files hold among the weights."""
_ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu"}
_EPSILON = 1e-5


def is_gpt2(tensors: Mapping[str, Any]) -> bool:
    """Whether tensors have the names of a GPT-2's."""
    names = {name.removeprefix("transformer.") for name in tensors}
    return {"wte.weight", "wpe.weight", "ln_f.weight"} <= names


def gpt2_settings(place: str, tensors: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a `TransformerConfig` that a GPT-2 goes with, as its tensors and its config.json say.

    Args:
        config: what the file says; without one the number of heads is left out, and the activation is GPT-2's.

    Raises:
        InputError: it computes what no field is for.
    """
    own = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    blocks = {int(match[1]) for name in own if (match := re.match(r"h\.(\d+)\.", name))}
    said = str(config.get("activation_function", "gelu_new"))
    if said not in _ACTIVATIONS:
        raise InputError(f"{place} has the activation {shown(said)}: choose a GPT-2 with {', '.join(_ACTIVATIONS)}")
    for name, usual in (
        ("layer_norm_epsilon", _EPSILON),
        ("scale_attn_weights", True),
        ("scale_attn_by_inverse_layer_idx", False),
        ("add_cross_attention", False),
    ):
        if config.get(name, usual) != usual:
            raise InputError(f"{place} has {name} {shown(config[name])}, and the Transformer here {usual}")
    wide, positions = own["wte.weight"].shape, own["wpe.weight"].shape
    wider = own.get("h.0.mlp.c_fc.weight", own["wte.weight"])
    if len(wide) != 2 or len(positions) != 2 or wider.ndim != 2 or not wide[1]:
        raise InputError(
            f"{place}: wte.weight and wpe.weight are no tables, or the layers no matrices: fetch the file again"
        )
    (width,) = own["h.0.mlp.c_fc.weight"].shape[-1:] if "h.0.mlp.c_fc.weight" in own else (4 * wide[-1],)
    settings: dict[str, object] = {
        "features": wide[-1],
        "layers": len(blocks),
        "context": positions[0],
        "positions": "learned",
        "mlp_ratio": width // wide[-1],
        "activation": _ACTIVATIONS[said],
        "bias": True,
        "tie_embedding": _HEAD not in own or np.array_equal(own[_HEAD], own["wte.weight"]),
    }
    return settings | ({"heads": config["n_head"]} if "n_head" in config else {})


def gpt2_params(place: str, tensors: Mapping[str, NDArray[Any]], *, tied: bool) -> dict[str, Tensor]:
    """The parameters of a language model by their paths: of `Transformer`, and unless `tied` of its output layer.

    Raises:
        InputError: a tensor has a name that is none of a GPT-2's.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        own = name.removeprefix("transformer.")
        match = re.fullmatch(r"h\.(\d+)\.(.+)", own)
        if own in _OUTER:
            found[_OUTER[own]] = Tensor(name, tensor)
        elif own == _HEAD:
            if not tied:
                found["head_kernel"] = Tensor(name, tensor.T)
        elif match and match[2] in _OF_A_BLOCK:
            turned = tensor.T if match[2] == "mlp.c_proj.weight" else tensor
            found[f"block_{int(match[1])}/{_OF_A_BLOCK[match[2]]}"] = Tensor(name, turned)
        elif not match or match[2] not in _BUFFERS:
            raise InputError(f"{place}: {shown(name)} is no tensor of a GPT-2: it is of another architecture")
    return found
