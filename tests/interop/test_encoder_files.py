"""Pretrained encoders from a folder: BERT put together from PyTorch's layers, our own exports, and what is refused."""

import functools
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from bert_by_hand import CONFIG, WORDS, Bert, write_bert

from jaxseq.errors import InputError
from jaxseq.interop.encoder_files import read_encoder
from jaxseq.interop.encoder_params import EncoderSizes
from jaxseq.interop.safetensors_files import read_safetensors, write_safetensors
from jaxseq.models import TransformerEncoder

OWN = EncoderSizes(8, 1, 2, 5, "rotary", 2, "pre", 1e-5, 2, True)


@pytest.fixture(scope="module")
def bert() -> Bert:
    import torch

    torch.manual_seed(0)
    made = Bert()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made


@pytest.fixture
def folder(bert, tmp_path) -> Path:
    return write_bert(tmp_path / "bert", bert)


def change(folder: Path, **tensors: np.ndarray | None) -> None:
    """Tensors are added or replaced, or left out."""
    name = folder / "model.safetensors"
    found = {**read_safetensors(name), **tensors}
    write_safetensors(name, {name: array for name, array in found.items() if array is not None})


def test_bert_equals_pytorchs_layers_whatever_its_file_calls_them(bert, tmp_path):
    ids = np.random.default_rng(0).integers(0, len(WORDS), (3, 9), dtype=np.int32)
    mask = np.arange(9) < np.array([9, 4, 1])[:, None]
    wanted = bert.mean(ids, mask)
    plain, prefixed = write_bert(tmp_path / "a", bert), write_bert(tmp_path / "b", bert, prefix="bert.")
    old = write_bert(tmp_path / "c", bert)
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = read_safetensors(old / "model.safetensors")
    renamed = {re.sub(r"LayerNorm\.\w+", lambda found: names[found[0]], name): array for name, array in tensors.items()}
    write_safetensors(old / "model.safetensors", renamed)
    found = read_encoder(plain)
    assert found.sizes == EncoderSizes(8, 2, 2, 9, "learned", 2, "post", 1e-12, 3, True)
    model = TransformerEncoder(found.vocabulary_size, **found.sizes._asdict())
    made, _ = jax.jit(model.apply)({"params": found.params}, ids, mask=mask)
    np.testing.assert_allclose(np.asarray(made).sum(1) / mask.sum(1)[:, None], wanted, atol=1e-5)
    for other in (prefixed, prefixed / "model.safetensors", old):
        jax.tree.map(np.testing.assert_array_equal, read_encoder(other).params, found.params)
    jax.tree.map(np.testing.assert_array_equal, *(jax.tree.map(np.shape, tree) for tree in (found.params, init(model))))


def init(model: TransformerEncoder):
    return jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 1), np.int32))["params"]


def test_half_precision_comes_as_float32(folder):
    name = "embeddings.word_embeddings.weight"
    half = read_safetensors(folder / "model.safetensors")[name].astype(np.float16)
    change(folder, **{name: half})
    embedding = read_encoder(folder).params["embedding"]
    assert embedding.dtype == np.float32
    np.testing.assert_array_equal(embedding, half.astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "gpt2"}, "model_type is gpt2: only encoders with bert are read"),
        ({"hidden_act": "relu"}, "hidden_act is relu: only encoders with gelu are read"),
        ({"hidden_act": "gelu_new"}, "hidden_act is gelu_new: only encoders with gelu are read"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is relative_key"),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"num_hidden_layers": None}, "num_hidden_layers is None: it must be a number from 1 on"),
        ({"num_attention_heads": 3}, "hidden_size is 8, no multiple of 3"),
        ({"intermediate_size": 25}, "intermediate_size is 25, no multiple of 8"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps is small"),
        ({"hidden_size": 16, "intermediate_size": 32}, "has the shape [19, 8], not [19, 16]"),
        ({"max_position_embeddings": 10}, "position_embeddings.weight has the shape [9, 8], not [10, 8]"),
        ({"num_hidden_layers": 3}, "has no tensor encoder.layer.2.attention.self.query.weight"),
        ({"num_hidden_layers": 1}, "has more layers than the 1 of the configuration beside it"),
    ],
)
def test_a_configuration_of_something_else_is_refused_by_its_field(folder, changes, told):
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    assert told in refusal(folder)


@pytest.mark.parametrize(
    ("tensor", "value", "told"),
    [
        ("embeddings.LayerNorm.weight", None, "has no tensor embeddings.LayerNorm.weight"),
        ("embeddings.LayerNorm.weight", np.ones(9, np.float32), "has the shape [9], not [8]"),
        ("embeddings.LayerNorm.weight", np.full(8, np.nan, np.float32), "holds what is no finite number"),
        ("embeddings.LayerNorm.weight", np.ones(8, np.int64), "is of int64, not of float32"),
        ("embeddings.word_embeddings.weight", np.ones(8, np.float32), "has the shape [8], not a matrix"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_by_its_name(folder, tensor, value, told):
    change(folder, **{tensor: value})
    assert told in refusal(folder)
    assert tensor in refusal(folder)


def test_a_missing_or_damaged_file_is_named(folder, tmp_path):
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name, told in (
        ("config.json", "has no config.json"),
        ("model.safetensors", "has no model.safetensors"),
        ("vocab.txt", "has no tokenizer.json and no vocab.txt"),
    ):
        (folder / name).unlink()
        assert told in refusal(folder)
        (folder / name).write_bytes(whole[name])
    for name, content, told in (
        ("model.safetensors", whole["model.safetensors"][:-10], "is damaged"),
        ("config.json", b"{", "is no JSON"),
        ("config.json", b"[]", "is no object"),
        ("config.json", b"{}", "is neither an experiment of jaxseq nor says its model_type"),
    ):
        (folder / name).write_bytes(content)
        assert told in refusal(folder)
        (folder / name).write_bytes(whole[name])
    assert "is not there" in refusal(tmp_path / "none")
    assert "is a file, not a folder" in refusal(folder / "config.json")


@functools.cache
def own_params():
    return jax.jit(TransformerEncoder(7, **OWN._asdict()).init)(jax.random.key(0), np.zeros((1, 1), np.int32))["params"]


def own_folder(folder: Path, **model) -> Path:
    """What an export of an encoder holds that is read."""
    folder.mkdir()
    tree = {"task": {"kind": "masked_language_modeling"}, "model": {"kind": "encoder", **OWN._asdict(), **model}}
    (folder / "config.json").write_text(json.dumps(tree))
    (folder / "tokenizer.json").write_text("{}")
    flat = jax.tree_util.tree_leaves_with_path(own_params())
    arrays = {f"body.{jax.tree_util.keystr(path, simple=True, separator='.')}": np.asarray(a) for path, a in flat}
    write_safetensors(folder / "model.safetensors", {**arrays, "output_bias": np.zeros(7, np.float32)})
    return folder


def test_our_own_export_comes_back_to_the_last_bit(tmp_path):
    found = read_encoder(own_folder(tmp_path / "own"))
    assert found.sizes == OWN
    assert found.tokenizer.is_ours
    jax.tree.map(np.testing.assert_array_equal, found.params, dict(own_params()))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"kind": "rnn"}, "is of model.kind rnn"),
        ({"layers": None}, "model.layers is None, not int"),
        ({"bias": "yes"}, "model.bias is yes, not bool"),
        ({"layers": 2}, "has no tensor body.block_1.attention.input.kernel"),
        ({"segments": 0}, "has body.segment_table, which is not in the configuration"),
        ({"features": 16}, "body.embedding has the shape [7, 8], not [7, 16]"),
    ],
)
def test_an_export_that_does_not_fit_its_own_configuration_is_refused(tmp_path, model, told):
    assert told in refusal(own_folder(tmp_path / "own", **model))


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_encoder(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)
