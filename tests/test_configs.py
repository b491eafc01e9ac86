"""The experiments that come along: each loads, builds, and says how it is run; no field is without effect."""

import ast
import dataclasses
import inspect
import json
import re
from pathlib import Path

import jax
import pytest
from shipped_tasks import task_without_data

from jaxseq.config import (
    SECTIONS,
    AdamWConfig,
    AutoencodingConfig,
    CaptioningConfig,
    ClassificationConfig,
    CorpusConfig,
    DataConfig,
    ExperimentConfig,
    LanguageModelingConfig,
    MaskedLanguageModelingConfig,
    NGramConfig,
    OptimizerConfig,
    RecognitionConfig,
    RNNConfig,
    TextVectorsConfig,
    TrainConfig,
    TransformerConfig,
    TranslationConfig,
    WordVectorsConfig,
    kinds_of,
    load_config,
)
from jaxseq.tasks import (
    Autoencoding,
    Captioning,
    Recognition,
    TextVectorLearning,
    TranslationTask,
    WordVectorLearning,
    build_model,
    init_params,
)
from jaxseq.tasks.classification.classifiers import build_classifier, init_classifier
from jaxseq.tasks.vectors.trained_texts import TrainedTexts
from jaxseq.text import CaptionTokenizer, PairTokenizers, WordTokenizer
from jaxseq.text.word_options import WordOptions
from jaxseq.training.optim import make_optimizer

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "configs").glob("*.py"))

shipped = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def test_there_is_one_for_each_system_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(configs/(\w+)\.py\) \|", readme, re.MULTILINE)
    assert {file.stem for file in FILES} == {name for _, name in rows}
    assert all(shown == name for shown, name in rows)


@shipped
def test_it_loads_and_its_model_and_optimizer_are_built(file):
    config, _ = load_config(file)
    dtype = config.train.compute_dtype
    if isinstance(config.task, ClassificationConfig):
        sizes = {"vocabulary_size": 65, "classes": 2, "length": config.data.length}
        classifier = build_classifier(config.task, config.model, **sizes, dtype=dtype)
        params = jax.eval_shape(lambda: init_classifier(classifier, jax.random.key(0)))["params"]
    elif isinstance(config.task, WordVectorsConfig | TextVectorsConfig):
        options = WordOptions(padding=False, unknown="drop")
        tokenizer = WordTokenizer(tuple(f"word{number}" for number in range(165)), options)
        counts = tuple(range(165, 0, -1))
        if isinstance(config.task, WordVectorsConfig):
            task = WordVectorLearning(config, tokenizer, counts)
        else:
            task = TextVectorLearning(config, tokenizer, counts, TrainedTexts(("one", "two")))
        params = jax.eval_shape(task.init, jax.random.key(0))["params"]
        assert task._loss
    elif isinstance(config.task, AutoencodingConfig):
        task = Autoencoding.restore(config, {"pictures.json": b'{"height": 28, "width": 28, "channels": 1}'})
        params = jax.eval_shape(task.init, jax.random.key(0))["params"]
    elif isinstance(config.task, CaptioningConfig):
        words = [("", " ".join(f"word{number}" for number in range(65)))]
        tokenizer = CaptionTokenizer.train(words, config.data.languages, WordTokenizer.train)
        scale = [0.5] * config.data.channels
        form = {"height": 48, "width": 48, "channels": config.data.channels, "mean": scale, "deviation": scale}
        artifacts = {"tokenizer.json": tokenizer.to_json(), "pictures.json": form}
        task = Captioning.restore(config, {name: json.dumps(tree).encode() for name, tree in artifacts.items()})
        params = jax.eval_shape(task.init, jax.random.key(0))["params"]
    elif isinstance(config.task, TranslationConfig):
        words = [" ".join(f"word{number}" for number in range(65))]
        make = WordTokenizer.train
        tokenizers = PairTokenizers.train(words, words, make, None if config.data.joint else make)
        task = TranslationTask.restore(config, {"tokenizers.json": json.dumps(tokenizers.to_json()).encode()})
        params = jax.eval_shape(task.init, jax.random.key(0))["params"]
    elif isinstance(config.task, RecognitionConfig):
        scale = [0.5] * 3
        form = {"height": 1080, "width": 1920, "channels": 3, "mean": scale, "deviation": scale}
        task = Recognition.restore(config, {"pictures.json": json.dumps(form).encode()})
        params = jax.eval_shape(task.init, jax.random.key(0))["params"]
    elif isinstance(config.task, MaskedLanguageModelingConfig):
        params = jax.eval_shape(task_without_data(config).init, jax.random.key(0))["params"]
    else:
        assert isinstance(config.task, LanguageModelingConfig)
        model = build_model(config.model, vocabulary_size=65, predict=config.task.predict, dtype=dtype)
        params = jax.eval_shape(lambda: init_params(model, seed=0))
    if isinstance(config.model, NGramConfig):  # which no optimizer moves
        assert params["order_1"]["words"].shape == (65,)
        return
    transform = make_optimizer(config.optimizer, steps=100).transform
    updates, _ = jax.eval_shape(lambda params: transform.update(params, transform.init(params), params), params)
    assert jax.tree.leaves(params)
    assert jax.tree.map(lambda leaf: leaf.shape, updates) == jax.tree.map(lambda leaf: leaf.shape, params)


@shipped
def test_it_has_the_name_of_its_file_and_tells_its_command(file):
    config, docstring = load_config(file)
    assert config.name == file.stem
    command = "python3 train.py" if file.stem == "quickstart" else f"python3 train.py configs/{file.name}"
    assert f"\n    {command}\n" in docstring


def test_quickstart_is_what_runs_without_a_configuration():
    config, _ = load_config(ROOT / "configs" / "quickstart.py")
    assert config == ExperimentConfig()


def test_every_field_says_what_it_means():
    kinds = [kind for section in SECTIONS for kind in kinds_of(section).values()]
    kinds = [kind for kind in kinds if kind.__module__.startswith("jaxseq.")]  # other tests have registered theirs
    classes = {each for kind in [*kinds, TrainConfig] for each in kind.__mro__ if dataclasses.is_dataclass(each)}
    assert {DataConfig, OptimizerConfig, CorpusConfig, AdamWConfig, RNNConfig, TransformerConfig} <= classes
    for section in classes:
        (node,) = ast.parse(inspect.getsource(section)).body
        assert isinstance(node, ast.ClassDef)
        assert ast.get_docstring(node), section
        for field, after in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and not (ast.unparse(field.target) == "kind" and field.value):
                assert isinstance(after, ast.Expr), ast.unparse(field)
