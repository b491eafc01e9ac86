"""Functions written by `jax.export`: they give what the model gives, here and in a process that has JAX alone."""

import json
import os
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import subjects
from jax_alone import EXAMPLE, READING, SCRIPT, run_script
from law_cases import assert_close, assert_identical
from small_language_models import recurrent_model, transformer_model

from jaxseq.errors import InputError
from jaxseq.interop import exported
from jaxseq.interop.exported import named, write_functions
from jaxseq.interop.exported_reader import read_functions
from jaxseq.interop.open_functions import causal_functions

pytest.importorskip("flatbuffers", reason="jax.export serializes with flatbuffers")
pytest.importorskip("safetensors")

# Signatures cannot be checked while sizes are symbols.
pytestmark = pytest.mark.usefixtures("unchecked")

TOLERANCE, TOLERANCE_BFLOAT16 = 1e-6, 2e-2  # of the largest entry
SMALL = {"features": 8, "heads": 2, "layers": 1, "mlp_ratio": 2}
MODELS = {
    "lstm": recurrent_model(features=4, layers=2, embedding=3),
    "gru_one_hot": recurrent_model(features=4, cell="gru"),
    # A context above and below the lengths that are read.
    "transformer": transformer_model(**SMALL, context=6, positions="learned"),
    "lstm_bfloat16": recurrent_model(features=4, embedding=3, dtype=jnp.bfloat16),
}


@cache
def params_of(name):
    return subjects.perturbed(MODELS[name].init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"], 0.3)


def write(folder, name, **options):
    def apply(params, tokens, carry):
        return MODELS[name].apply({"params": params}, tokens, carry)

    write_functions(folder, causal_functions(apply, MODELS[name].initial_carry), params_of(name), **options)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders of models, each written once."""
    root = tmp_path_factory.mktemp("exported")

    def folder_of(name):
        if not (root / name).exists():
            write(root / name, name, metadata={"name": name})
        return root / name

    return folder_of


@pytest.fixture(scope="module")
def loaded(written):
    """What was read from them, each once."""
    return cache(lambda name: read_functions(written(name)))


@cache
def expected_of(name):
    """(tokens, carry) -> logits and carry: the model's own."""
    return jax.jit(lambda tokens, carry: MODELS[name].apply({"params": params_of(name)}, tokens, carry))


def tokens_of(rows, steps, seed=0):
    return np.random.default_rng(seed).integers(0, 7, (rows, steps), dtype=np.int32)


@pytest.mark.parametrize("name", MODELS)
def test_every_batch_and_length_gives_the_logits_and_the_carry_of_the_model(loaded, name):
    """jax#17803: only the batch could be left open; jax#20134: named tuples, which carries are, were refused."""
    model, run = MODELS[name], loaded(name).functions
    tolerance = TOLERANCE_BFLOAT16 if model.dtype == jnp.bfloat16 else TOLERANCE
    for rows, steps in ((2, 9), (3, 5)):
        tokens, start = tokens_of(rows, steps), model.initial_carry(rows)
        carry = run["initial_carry"](np.zeros(rows, np.int32))
        assert_identical(carry, named(start))
        expected, end = expected_of(name)(tokens, start)
        logits, after = run["logits"](tokens, carry)
        assert logits.dtype == jnp.float32
        assert {own: part.dtype for own, part in after.items()} == {own: part.dtype for own, part in carry.items()}
        assert_close((logits, after), (expected, named(end)), tolerance=tolerance)


@pytest.mark.parametrize("name", ["lstm", "gru_one_hot", "transformer"])
def test_pieces_and_single_steps_with_the_carry_handed_on_equal_the_whole(loaded, name):
    """The first law of the carry."""
    run = loaded(name).functions
    tokens = tokens_of(2, 9)
    start = run["initial_carry"](np.zeros(2, np.int32))
    whole, end = run["logits"](tokens, start)
    piece, carry = run["logits"](tokens[:, :5], start)
    pieces = [piece]
    for i in range(5, 9):
        logits, carry = run["step"](tokens[:, i], carry)
        pieces.append(logits[:, None])
    assert_close((jnp.concatenate(pieces, axis=1), carry), (whole, end), tolerance=TOLERANCE)


def test_the_gradient_is_not_exported(loaded):
    """As the page says."""
    run = loaded("gru_one_hot").functions
    carry = run["initial_carry"](np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="No VJP is available"):
        jax.grad(lambda carry: run["step"](tokens_of(2, 1)[:, 0], carry)[0].sum())(carry)


def test_the_script_of_the_page_gives_the_same_numbers_in_a_process_with_jax_alone(written, tmp_path):
    assert len([line for line in SCRIPT.splitlines() if line]) <= 15
    found = run_script(written("transformer"), tmp_path)
    run = expected_of("transformer")
    logits, carry = run(np.array([[1, 2, 3], [4, 5, 6]], np.int32), MODELS["transformer"].initial_carry(2))
    for _ in range(5):
        logits, carry = run(logits[:, -1:].argmax(-1).astype(np.int32), carry)
    carry = {f"carry.{own}": part for own, part in named(carry).items()}
    assert_close(found, {"logits": logits[:, 0], **carry}, tolerance=TOLERANCE)


def test_the_page_s_examples_are_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in (EXAMPLE, READING):
        exec(compile(block, "docs/exporting.md", "exec"), names)
    expected, _ = names["model"].apply({"params": names["params"]}, np.array([[1, 2, 3, 4]], np.int32))
    assert_close(names["logits"], expected, tolerance=TOLERANCE)


def test_programs_name_no_place_of_this_machine_and_are_the_same_every_time(written, tmp_path):
    before = jax.config.jax_traceback_in_locations_limit
    write(tmp_path / "again", "lstm")
    assert jax.config.jax_traceback_in_locations_limit == before
    for path in written("lstm").glob("*.jaxexport"):
        content = path.read_bytes()
        assert content == (tmp_path / "again" / path.name).read_bytes()
        assert b".py" not in content
        assert os.fsencode(Path(exported.__file__).parent) not in content


def test_the_manifest_tells_what_goes_in_and_comes_out(written, loaded):
    manifest = json.loads((written("lstm") / "export.json").read_bytes())
    state = {name: {"shape": ["b", 4], "dtype": "float32"} for name in ("0.c", "0.h", "1.c", "1.h")}
    assert manifest["functions"]["logits"] == {
        "inputs": [
            {"name": "tokens", "shape": ["b", "t"], "dtype": "int32"},
            {"name": "carry", "arrays": state},
        ],
        "outputs": [
            {"name": "logits", "shape": ["b", "t", 7], "dtype": "float32"},
            {"name": "carry", "arrays": state},
        ],
    }
    assert manifest["platforms"] == ["cpu", "cuda", "tpu"]
    assert loaded("lstm").metadata == {"name": "lstm"}


def test_inputs_of_another_type_or_shape_are_one_line(loaded):
    run = loaded("lstm").functions
    carry = run["initial_carry"](np.zeros(2, np.int32))
    tokens = tokens_of(2, 3)
    for inputs, expected in (
        ((tokens,), "logits takes tokens, carry: 1 inputs were given"),
        (
            (tokens.astype(np.float32), carry),
            "logits: tokens is float32 [2, 3], it must be int32 [b, t]",
        ),
        ((tokens[0], carry), "logits: tokens is int32 [3], it must be int32 [b, t]"),
        ((tokens[:, :0], carry), "logits: tokens is int32 [2, 0], it must be int32 [b, t]"),
        ((tokens[:1], carry), "logits: carry['0.c'] is float32 [2, 4], it must be float32 [b, 4], b is 1 here"),
        ((tokens, {"h": carry["0.h"]}), "logits: carry must be a dict of arrays called 0.c, 0.h, 1.c, 1.h"),
        (([[1, 2]], carry), "logits: tokens is no array, it must be int32 [b, t]"),
    ):
        with pytest.raises(InputError) as caught:
            run["logits"](*inputs)
        assert str(caught.value) == expected
