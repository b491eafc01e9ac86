"""A check of outputs: it passes rounding, and finds gates, columns and rows that came to other places."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_language_models import recurrent_model

from jaxseq.errors import InputError
from jaxseq.interop.output_check import CHECK, OutputCheck, read_check, sums_of
from jaxseq.interop.safetensors_files import write_safetensors

pytest.importorskip("safetensors")

TOKENS = np.arange(12, dtype=np.int32).reshape(2, 6) % 7
MODEL = recurrent_model(features=4, embedding=3)
PARAMS = MODEL.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]


@jax.jit
def logits_of(params):
    return MODEL.apply({"params": params}, TOKENS)[0]


def check_of(params=PARAMS):
    return OutputCheck.of("logits", {"tokens": TOKENS}, {"logits": np.asarray(logits_of(params))})


def with_array(layer, name, change):
    return {**PARAMS, layer: {**PARAMS[layer], name: change(PARAMS[layer][name])}}


def gates_exchanged(kernel):
    first, second, *others = jnp.split(kernel, 4, axis=-1)
    return jnp.concatenate([second, first, *others], axis=-1)


WRONG = {
    "gates": {**PARAMS, "layer_0": {name: gates_exchanged(array) for name, array in PARAMS["layer_0"].items()}},
    "a square kernel transposed": with_array(
        "layer_0", "recurrent_kernel", lambda x: jnp.concatenate([part.T for part in jnp.split(x, 4, -1)], axis=-1)
    ),
    "words": {**PARAMS, "embedding": PARAMS["embedding"][::-1]},
    "columns": with_array("head", "kernel", lambda x: x[:, ::-1]),
    "NaN": with_array("head", "bias", lambda x: x.at[0].set(jnp.nan)),
}


@pytest.mark.parametrize("name", WRONG)
def test_fresh_weights_in_another_order_are_one_line(name):
    with pytest.raises(InputError, match=r"a\.safetensors does not give what it gave: .* in another order"):
        check_of().require({"logits": np.asarray(logits_of(WRONG[name]))}, path=Path("a.safetensors"))


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=20)
def test_rounding_passes_and_the_sums_are_those_of_a_loop(seed, scale):
    draw = np.random.default_rng(seed)
    output = (scale * draw.normal(size=(2, 3, 5))).astype(np.float32)
    total = sum(float(x) for x in output.flat)
    placed = sum(float(x) * (at + 1) / 30 for at, x in enumerate(output.flat))
    np.testing.assert_allclose(sums_of(output), (total, sum(abs(float(x)) for x in output.flat), placed), rtol=1e-9)
    rounded = output * (1 + 2e-4 * draw.uniform(-1, 1, output.shape))
    OutputCheck.of("logits", {}, {"logits": output}).require({"logits": rounded}, path=Path("a"))


def test_it_comes_back_from_a_file_and_a_file_without_one_has_none(tmp_path):
    check, array = check_of(), {"a": np.zeros(2, np.float32)}
    write_safetensors(tmp_path / "a.safetensors", array, metadata={CHECK: check.to_text()})
    found = read_check(tmp_path / "a.safetensors")
    assert found._replace(inputs={}) == check._replace(inputs={})
    np.testing.assert_array_equal(found.inputs["tokens"], TOKENS)
    write_safetensors(tmp_path / "b.safetensors", array)
    assert read_check(tmp_path / "b.safetensors") is None
    with pytest.raises(InputError, match="has a check of logits, which this model does not give"):
        check.require({}, path=Path("a"))


TREE = json.loads(check_of().to_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        *(json.dumps({**TREE, name: None}) for name in TREE if name != "function"),
        json.dumps({**TREE, "outputs": {"a": {}}}),
    ],
)
def test_what_is_no_check_is_one_line(tmp_path, text):
    write_safetensors(tmp_path / "a.safetensors", {"a": np.zeros(2, np.float32)}, metadata={CHECK: text})
    with pytest.raises(InputError, match=r"its jaxseq\.check is no check of outputs \(.*\): export it again$"):
        read_check(tmp_path / "a.safetensors")
