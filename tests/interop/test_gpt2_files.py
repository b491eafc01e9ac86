"""A GPT-2 under Hugging Face's names, written by hand in PyTorch, against the Transformer here that has its weights."""

import dataclasses
import math

import numpy as np
import pytest
from flax.traverse_util import unflatten_dict

from jaxseq.config import TransformerConfig
from jaxseq.errors import InputError
from jaxseq.interop.gpt2_files import gpt2_params, gpt2_settings, is_gpt2
from jaxseq.tasks.language.language_model import build_model

torch = pytest.importorskip("torch")

VOCABULARY, CONTEXT, WIDTH, HEADS, BLOCKS = 11, 9, 8, 2, 2
CONFIG = {"model_type": "gpt2", "n_head": HEADS, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}


def gpt2_tensors(seed=0):
    """Random tensors by Hugging Face's names; `Conv1D` has [in, out]."""
    draw = np.random.default_rng(seed)
    shapes = {"wte.weight": (VOCABULARY, WIDTH), "wpe.weight": (CONTEXT, WIDTH)}
    for i in range(BLOCKS):
        for name, shape in {
            "ln_1": (WIDTH,),
            "attn.c_attn": (WIDTH, 3 * WIDTH),
            "attn.c_proj": (WIDTH, WIDTH),
            "ln_2": (WIDTH,),
            "mlp.c_fc": (WIDTH, 4 * WIDTH),
            "mlp.c_proj": (4 * WIDTH, WIDTH),
        }.items():
            shapes |= {f"h.{i}.{name}.weight": shape, f"h.{i}.{name}.bias": shape[-1:]}
    shapes |= {"ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)}
    return {name: (draw.normal(size=shape) * 0.5).astype(np.float32) for name, shape in shapes.items()}


def gpt2_logits(tensors, ids):
    """The logits as Radford et al. 2019 and `modeling_gpt2.py` have them, one operation after the other."""
    w = {name: torch.tensor(array) for name, array in tensors.items()}

    def norm(x, name):
        return torch.nn.functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)

    def linear(x, name):
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    def gelu_new(x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    rows, length = ids.shape
    x = w["wte.weight"][ids] + w["wpe.weight"][:length]
    hidden = torch.ones(length, length).triu(1).bool()
    for i in range(BLOCKS):
        parts = linear(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").split(WIDTH, dim=-1)
        query, key, value = (part.view(rows, length, HEADS, -1).transpose(1, 2) for part in parts)
        scores = query @ key.transpose(2, 3) / math.sqrt(WIDTH // HEADS)
        gathered = scores.masked_fill(hidden, -math.inf).softmax(-1) @ value
        x = x + linear(gathered.transpose(1, 2).reshape(rows, length, WIDTH), f"h.{i}.attn.c_proj")
        x = x + linear(gelu_new(linear(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj")
    return (norm(x, "ln_f") @ w["wte.weight"].T).numpy()


def params_of(tensors, config=CONFIG, *, tied=True):
    """The Transformer of these tensors and its parameters, nested."""
    settings = gpt2_settings("gpt2", tensors, config)
    model = build_model(dataclasses.replace(TransformerConfig(), **settings), vocabulary_size=VOCABULARY)
    found = gpt2_params("gpt2", tensors, tied=tied)
    return model, unflatten_dict({path: tensor.array for path, tensor in found.items()}, sep="/")


def test_logits_are_those_of_gpt2():
    tensors, ids = gpt2_tensors(), np.random.default_rng(1).integers(0, VOCABULARY, (3, CONTEXT))
    model, params = params_of({f"transformer.{name}": array for name, array in tensors.items()})
    logits, _ = model.apply({"params": params}, ids.astype(np.int32))
    np.testing.assert_allclose(logits, gpt2_logits(tensors, torch.tensor(ids)), rtol=1e-5, atol=1e-5)
    other = gpt2_settings("gpt2", tensors, CONFIG | {"activation_function": "gelu"})
    assert (other["activation"], model.body.activation) == ("gelu", "gelu_tanh")


def test_masks_and_an_output_layer_that_is_the_embedding_again_are_passed_over():
    tensors = gpt2_tensors()
    more = {"h.0.attn.bias": np.ones((1, 1, CONTEXT, CONTEXT)), "lm_head.weight": tensors["wte.weight"]}
    assert is_gpt2(tensors | more)
    assert gpt2_params("gpt2", tensors | more, tied=True).keys() == gpt2_params("gpt2", tensors, tied=True).keys()
    other = tensors | {"lm_head.weight": tensors["wte.weight"] + 1}
    assert gpt2_settings("gpt2", other, CONFIG)["tie_embedding"] is False
    found = gpt2_params("gpt2", other, tied=False)["head_kernel"].array
    np.testing.assert_array_equal(found, tensors["wte.weight"].T + 1)


def test_what_the_transformer_here_does_not_compute_is_refused():
    for more, told in (
        ({"activation_function": "relu"}, "has the activation relu: choose a GPT-2 with gelu_new"),
        ({"layer_norm_epsilon": 1e-6}, "has layer_norm_epsilon 1e-06, and the Transformer here 1e-05"),
        ({"scale_attn_by_inverse_layer_idx": True}, "has scale_attn_by_inverse_layer_idx True"),
    ):
        with pytest.raises(InputError, match=told):
            gpt2_settings("gpt2", gpt2_tensors(), CONFIG | more)
    with pytest.raises(InputError, match=r"h\.0\.attn\.q_attn\.weight is no tensor of a GPT-2"):
        gpt2_params("gpt2", {"h.0.attn.q_attn.weight": np.zeros((2, 2))}, tied=True)
    with pytest.raises(InputError, match="are no tables, or the layers no matrices"):
        gpt2_settings("gpt2", gpt2_tensors() | {"wte.weight": np.zeros(3)}, CONFIG)
