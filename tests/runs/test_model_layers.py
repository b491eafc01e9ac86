"""Which layers a model has for files of layers, and which models have none that Keras or PyTorch could load."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxseq.config import (
    AutoencoderConfig,
    AutoencodingConfig,
    ClassificationConfig,
    CorpusConfig,
    DigitsConfig,
    ExperimentConfig,
    LabelledConfig,
    LanguageModelingConfig,
    RNNConfig,
    TransformerConfig,
)
from jaxseq.errors import InputError
from jaxseq.runs.exporting_layers import run_layers, write_layers
from jaxseq.runs.load import Run
from jaxseq.runs.model_layers import model_layers
from jaxseq.tasks.task import task_of
from jaxseq.text.characters import CharTokenizer
from jaxseq.text.words import WordTokenizer

TOKENIZERS = {"char": CharTokenizer.train("abcde"), "word": WordTokenizer.train(["one two three"])}


def run_of(experiment):
    """A run as it is loaded, all of its numbers 0."""
    kind = getattr(experiment.data, "tokenizer", "char")
    artifacts = {
        "tokenizer.json": json.dumps(TOKENIZERS[kind].to_json()).encode(),
        "classes.json": b'["bad", "good"]',
        "pictures.json": b'{"height": 28, "width": 28, "channels": 1}',
    }
    task = task_of(experiment).restore(experiment, artifacts)
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    return Run(experiment, task, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), dict(shapes)), 0, "", [])


def language_model(**fields):
    return ExperimentConfig(task=LanguageModelingConfig(), data=CorpusConfig(), model=RNNConfig(features=4, **fields))


def classifier(pooling=("mean",), **fields):
    return ExperimentConfig(
        task=ClassificationConfig(pooling=pooling, hidden=3),
        data=LabelledConfig(length=8),
        model=RNNConfig(features=4, embedding=3, **fields),
    )


PICTURES = ExperimentConfig(
    task=AutoencodingConfig(),
    data=DigitsConfig(),
    model=AutoencoderConfig(
        filters=(3, 2), poolings=2, upsamplings=2, transposed=True, decoder_padding=("same", "same")
    ),
)


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        (language_model(cell="gru", layers=2), ["layer_0: gru", "layer_1: gru", "head: dense"]),
        (
            language_model(cell="gru", reset_after=False, embedding=3),
            ["embedding: embedding", "layer_0: gru_reset_before", "head: dense"],
        ),
        (language_model(cell="rnn", embedding=4, tie_embedding=True), ["embedding: embedding", "layer_0: rnn"]),
        (
            classifier(bidirectional=True),
            [
                "body/embedding: embedding",
                "body/layer_0: lstm",
                "head/hidden: dense",
                "head/output: dense of two classes",
            ],
        ),
        (
            PICTURES,
            [
                *(f"encoder/conv_{i}: conv" for i in range(2)),
                *(f"decoder/conv_{i}: conv_transpose" for i in range(3)),
            ],
        ),
    ],
    ids=["one-hot", "reset before", "tied", "classifier", "pictures"],
)
def test_layers_stand_in_the_order_of_their_use(experiment, expected):
    run = run_of(experiment)
    layers = model_layers(run.task)
    found = [f"{layer.path}: {layer.kind}{' of two classes' if layer.is_binary else ''}" for layer in layers]
    assert found == expected
    kinds = [layer.kind for layer in run_layers(run, "Keras")]
    tied = getattr(experiment.model, "tie_embedding", False)
    assert kinds == [layer.kind for layer in layers] + ["dense"] * tied


def test_what_keras_or_pytorch_have_no_layer_for_is_one_line_and_no_file(tmp_path):
    transformer = dataclasses.replace(language_model(), model=TransformerConfig(features=4, heads=2, layers=1))
    for experiment, name, format, told in (
        (transformer, "a.pt", "torch", "block_0/attention_norm of the model is none of the layers that PyTorch has"),
        (language_model(cell="gru", reset_after=False), "a.pt", "torch", "PyTorch has no GRU that resets before"),
        (language_model(), "a.txt", "keras", "a.txt is no name of a file of Keras's weights"),
        (
            classifier(("max",)),
            "a.keras",
            "keras",
            "task.pooling is max, which Keras has no layer for that passes over",
        ),
        (
            classifier(("attention",)),
            "a.h5",
            "keras",
            "pooling_attention/query of the model is none of the layers that Keras has",
        ),
        (PICTURES, "a.keras", "keras", "autoencoding is no stack of layers for a .keras: write a .weights.h5"),
    ):
        with pytest.raises(InputError, match=told) as caught:
            write_layers(run_of(experiment), tmp_path / name, format)
        assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())
