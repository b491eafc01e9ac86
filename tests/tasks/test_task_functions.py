"""What tasks export computes what their models do, at any size that is open; and which of the shipped ones do so."""

import dataclasses
import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from law_cases import assert_close
from pages import read_page
from shipped_tasks import task_without_data

from jaxseq.config import (
    AutoencoderConfig,
    AutoencodingConfig,
    BagConfig,
    CaptionerConfig,
    CaptioningConfig,
    ClassificationConfig,
    DigitScenesConfig,
    DigitsConfig,
    DocumentsConfig,
    EncoderConfig,
    ExperimentConfig,
    LabelledConfig,
    MadeUpConfig,
    MaskedLanguageModelingConfig,
    NBSVMConfig,
    RNNConfig,
    Seq2SeqConfig,
    Seq2SeqTransformerConfig,
    TranslationConfig,
    load_config,
)
from jaxseq.errors import InputError
from jaxseq.interop.exported import write_functions
from jaxseq.interop.exported_reader import read_functions
from jaxseq.tasks.autoencoding.coder import Coder
from jaxseq.tasks.capabilities import ExportsFunctions
from jaxseq.tasks.classification.frozen_encoders import whole
from jaxseq.tasks.exported_functions import functions_of, variables_of, weights_of

pytest.importorskip("flatbuffers", reason="jax.export serializes with flatbuffers")
pytest.importorskip("safetensors")

# Signatures cannot be checked while sizes are symbols.
pytestmark = pytest.mark.usefixtures("unchecked")

TOLERANCE = 1e-5  # of the largest entry
SMALL_PICTURE = (72, 128)
ROOT = Path(__file__).parents[2]
WORDS = LabelledConfig(source="none", length=7)
ENCODER = {"features": 8, "layers": 1, "heads": 2}
CLASSIFIERS = {
    "bag": (BagConfig(features=4), ClassificationConfig(hidden=3)),
    "both_ways": (
        RNNConfig(features=4, embedding=3, bidirectional=True),
        ClassificationConfig(pooling=("max", "attention", "ends")),
    ),
    "flattened": (BagConfig(features=4), ClassificationConfig(pooling=("flatten",))),
    "frozen_encoder": (
        EncoderConfig(**ENCODER, positions="learned", context=7),
        ClassificationConfig(pooling=("mean", "first"), weights="none", freeze_weights=True),
    ),
    "nbsvm": (NBSVMConfig(), ClassificationConfig(pooling=("sum",), head="bias")),
    "padding_is_read": (RNNConfig(cell="gru", features=4), ClassificationConfig(pooling=("last",), mask=False)),
}
TRANSLATORS = {
    "additive": Seq2SeqConfig(
        features=8, embedding=6, layers=2, attention="additive", use_scale=True, input_feeding=True, bidirectional=True
    ),
    "transformer": Seq2SeqTransformerConfig(features=8, layers=1, heads=2, mlp_ratio=2, context=8),
}


def exported(tmp_path, task, seed=0):
    """Variables drawn so that all counts, and the task's functions read back from files."""
    draw = np.random.default_rng(seed)
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    variables = jax.tree.map(lambda leaf: jnp.asarray(0.5 * draw.normal(size=leaf.shape), jnp.float32), shapes)
    weights = weights_of(variables)
    jax.tree.map(np.testing.assert_array_equal, variables_of(weights, variables.keys() - {"params"}), variables)
    write_functions(tmp_path / "out", functions_of(task, variables), weights)
    return variables, read_functions(tmp_path / "out").functions


def ids(rows, steps, below=60, seed=0):
    return np.random.default_rng(seed).integers(0, below, (rows, steps), dtype=np.int32)


def lengths_mask(rows, steps):
    """Rows of all lengths down to none."""
    return np.arange(steps) < np.maximum(0, steps - 2 * np.arange(rows))[:, None]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_gives_its_logits(tmp_path, name):
    model, section = CLASSIFIERS[name]
    task = task_without_data(ExperimentConfig(name="small", task=section, data=WORDS, model=model))
    variables, run = exported(tmp_path, task)
    assert ("frozen" in variables) == (name == "frozen_encoder")
    tokens, mask, variables = ids(3, 6), lengths_mask(3, 6), whole(variables)
    if name == "padding_is_read":
        given, expected = run["logits"](tokens), jax.jit(task.model.apply)(variables, tokens)
    else:
        given, expected = run["logits"](tokens, mask), jax.jit(task.model.apply)(variables, tokens, mask=mask)
    assert given.shape == (3, 2)
    assert_close(given, expected, tolerance=TOLERANCE)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_s_start_and_steps_give_the_logits_of_the_whole_target(tmp_path, name):
    task = task_without_data(
        ExperimentConfig(
            name="small", task=TranslationConfig(), data=MadeUpConfig(joint=False), model=TRANSLATORS[name]
        )
    )
    variables, run = exported(tmp_path, task)
    source, mask, target = ids(3, 5), np.arange(5) < np.array([[5], [3], [1]]), ids(3, 4, seed=1)
    target[:, 0] = task.tokenizers.target.start
    logits, carry = run["start"](source, mask)
    steps = [logits]
    for at in range(1, 4):
        logits, carry = run["step"](target[:, at], carry)
        steps.append(logits)
    expected = jax.jit(task.model.apply)(variables, source, target, source_mask=mask)
    assert_close(jnp.stack(steps, axis=1), expected, tolerance=TOLERANCE)


def test_a_captioner_s_start_and_steps_give_the_logits_of_the_whole_caption(tmp_path):
    model = CaptionerConfig(filters=(4, 4), poolings=1, features=6, embedding=4, attention="additive")
    data = DigitScenesConfig(source="none", size=(32, 32))
    task = task_without_data(ExperimentConfig(name="small", task=CaptioningConfig(), data=data, model=model))
    variables, run = exported(tmp_path, task)
    pictures = np.random.default_rng(0).integers(0, 256, (3, *task.form.shape), dtype=np.uint8)
    caption = ids(3, 3)
    first, carry = run["start"](pictures, caption[:, 0])
    second, carry = run["step"](caption[:, 1], carry)
    third, _ = run["step"](caption[:, 2], carry)
    expected = jax.jit(task.model.apply)(variables, pictures, caption)
    assert_close(jnp.stack([first, second, third], axis=1), expected, tolerance=TOLERANCE)


def test_a_masked_language_model_gives_what_it_finds_and_its_features(tmp_path):
    section = MaskedLanguageModelingConfig(pairs=True)
    model = EncoderConfig(**ENCODER, segments=2, positions="learned", context=9)
    data = DocumentsConfig(source="none", length=9)
    task = task_without_data(ExperimentConfig(name="small", task=section, data=data, model=model))
    variables, run = exported(tmp_path, task)
    tokens, mask, positions = ids(3, 8), lengths_mask(3, 8), np.array([[1, 0], [2, 2], [0, 1]], np.int32)
    segments = (np.arange(8) > np.array([[3], [2], [1]])).astype(np.int32)
    logits, relation = jax.jit(task.model.apply)(variables, tokens, positions, mask=mask, segments=segments)
    assert_close(run["logits"](tokens, mask, segments, positions), logits, tolerance=TOLERANCE)
    assert_close(run["relation"](tokens, mask, segments), relation, tolerance=TOLERANCE)
    features = jax.jit(partial(task.model.apply, method="features"))(variables, tokens, mask=mask, segments=segments)
    assert_close(run["features"](tokens, mask, segments), features, tolerance=TOLERANCE)


def test_an_autoencoder_gives_codes_and_pictures(tmp_path):
    model = AutoencoderConfig(filters=(4, 2), poolings=2, upsamplings=2, decoder_padding=("same",), upsampling="unpool")
    config = ExperimentConfig(
        name="small", task=AutoencodingConfig(noise=0.5), data=DigitsConfig(source="none"), model=model
    )
    task = task_without_data(config)
    variables, run = exported(tmp_path, task)
    pictures = np.random.default_rng(0).integers(0, 256, (3, *task.shape), dtype=np.uint8)
    for name, wanted in (("encode", "codes"), ("reconstruct", "reconstructions")):
        assert_close(run[name](pictures), Coder(task.model)(variables, pictures, wanted), tolerance=TOLERANCE)


@pytest.mark.parametrize("name", ["hand_detector", "rectangles"])
def test_a_recognizer_gives_its_logits(tmp_path, name):
    config, _ = load_config(ROOT / "configs" / f"{name}.py")
    if name == "hand_detector":
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, size=SMALL_PICTURE))
    task = task_without_data(config)
    variables, run = exported(tmp_path, task)
    inputs = jax.tree.leaves(run["logits"].inputs["inputs"])[0]
    draw = np.random.default_rng(0).integers(0, 256, (2, *inputs.shape[1:])).astype(inputs.dtype)
    assert_close(run["logits"](draw), task.model.apply(variables, draw), tolerance=TOLERANCE)


def test_a_text_longer_than_the_places_is_one_line(tmp_path):
    model, section = CLASSIFIERS["flattened"]
    task = task_without_data(ExperimentConfig(name="small", task=section, data=WORDS, model=model))
    _, run = exported(tmp_path, task)
    with pytest.raises(InputError, match=r"tokens is int32 \[2, 8\], it must be int32 \[b, t\], t up to 7$"):
        run["logits"](ids(2, 8), np.ones((2, 8), bool))


PAGE = read_page("exporting.md")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ((?:`\w+`(?:, )?)+) \|$", PAGE, re.MULTILINE)
CONFIGS = {name: row for row in ROWS for name in re.findall(r"`(\w+)`", row[3])}


def test_the_page_names_the_functions_and_open_sizes_of_every_experiment():
    assert CONFIGS.keys() == {path.stem for path in (ROOT / "configs").glob("*.py")}
    assert len(re.findall(r"`\w+`", "".join(row[3] for row in ROWS))) == len(CONFIGS)
    for name, (_, named, sizes, _) in CONFIGS.items():
        task = task_without_data(load_config(ROOT / "configs" / f"{name}.py")[0])
        functions = task.functions() if isinstance(task, ExportsFunctions) else {}
        assert list(functions) == re.findall(r"`(\w+)`", named), name
        inputs = jax.tree.leaves([each.inputs for each in functions.values()])
        found = {str(size) for leaf in inputs for size in leaf.shape if jax.export.is_symbolic_dim(size)}
        assert found == set(re.findall(r"\b[a-z]\b", sizes)), name
