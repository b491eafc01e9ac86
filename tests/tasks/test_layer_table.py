"""What the table of layers is made of: shapes, kinds, and the multiply-adds of one row."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from small_classifiers import MODELS
from small_texts import experiment_of as texts_experiment
from small_texts import write_texts
from small_words import experiment_of, write_words

from jaxseq.config import RNNConfig, Seq2SeqConfig, Seq2SeqTransformerConfig, TransformerConfig
from jaxseq.ops.losses import Tally
from jaxseq.ops.objective import LossOutput
from jaxseq.reporting.summary import count_parameters, layers_of
from jaxseq.tasks import TextVectorLearning, WordVectorLearning, Workspace, build_encoder_decoder, build_model
from jaxseq.tasks.classification.classifiers import build_classifier
from jaxseq.tasks.language.language_model import layer_outputs
from jaxseq.tasks.layer_table import loss_products, traced_layers, with_tables
from jaxseq.tasks.task import LayerOutputs, TaskDefaults


def ids(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def rows_of(found: LayerOutputs, products: Any = None) -> dict[str, Any]:
    """Kind, output, parameters and multiply-adds by name; nothing is lost of what there is."""
    if products is None:
        assert found.products is not None
        products = found.products()
    layers = layers_of(found.shapes, found.outputs, found.kinds, products)
    assert sum(layer.parameters for layer in layers) == count_parameters(found.shapes)
    assert sum(layer.multiply_adds or 0 for layer in layers) == sum(products.values())
    return {name: tuple(rest) for name, *rest in layers}


def language_model(config, vocabulary, *, length, rows=3):
    model = build_model(config, vocabulary_size=vocabulary)
    return rows_of(layer_outputs(model, batch_size=rows, length=length))


def test_multiply_adds_are_those_of_one_row_whatever_the_batch():
    config = RNNConfig(features=5, layers=2, embedding=3)
    found = language_model(config, 40, length=7)
    assert {name: row[-1] for name, row in found.items()} == {
        "embedding": 0,
        "layer_0": 7 * 4 * 5 * (3 + 5),
        "layer_1": 7 * 4 * 5 * (5 + 5),
        "head": 7 * 5 * 40,
    }
    assert {name: row[-1] for name, row in language_model(config, 40, length=7, rows=64).items()} == {
        name: row[-1] for name, row in found.items()
    }


def test_what_is_looked_up_is_multiplied_as_seldom_as_the_model_does_it():
    # One-hot vectors are rows of the kernel; of an embedding with fewer rows than there are tokens each is taken once.
    assert language_model(RNNConfig(features=5), 6, length=7)["layer_0"][-1] == 7 * 4 * 5 * 5
    folded = language_model(RNNConfig(features=5, embedding=3), 6, length=7)
    assert folded["layer_0"][-1] == 6 * 4 * 5 * 3 + 7 * 4 * 5 * 5


def test_attention_and_a_tied_head_have_rows_without_parameters_where_they_are_used():
    t, d, v = 6, 8, 11
    found = language_model(TransformerConfig(features=d, heads=2, layers=1, context=t), v, length=t)
    assert list(found) == [
        "embedding",
        "block_0/attention_norm",
        "block_0/attention",
        "block_0/attention/input",
        "block_0/attention/output",
        "block_0/feed_forward_norm",
        "block_0/feed_forward/input",
        "block_0/feed_forward/output",
        "norm",
        "head",
    ]
    assert found["block_0/attention"] == ("SelfAttention", "(3, 6, 8)", 0, 2 * t * t * d)
    assert found["block_0/attention/input"] == ("Linear", "(3, 6, 24)", 3 * d * d, t * 3 * d * d)
    assert found["block_0/feed_forward/output"] == ("Linear", "(3, 6, 8)", 4 * d * d, t * 4 * d * d)
    assert found["head"] == ("TiedHead", "(3, 6, 11)", 0, t * d * v)


def test_a_head_beside_the_body_has_the_row_of_its_parameter():
    config = TransformerConfig(features=8, heads=2, layers=1, context=6, tie_embedding=False)
    found = language_model(config, 11, length=6)
    assert "head" not in found
    assert list(found)[-1] == "head_kernel"
    assert found["head_kernel"] == ("Linear", "(3, 6, 11)", 88, 6 * 88)


@pytest.mark.parametrize("name", MODELS)
def test_every_family_of_classifiers_has_a_table_that_adds_up(name):
    model, task = MODELS[name]
    found = rows_of(traced_layers(build_classifier(task, model, vocabulary_size=50, classes=2, length=9), ids(4, 9)))
    if name == "birnn":
        assert found["body/layer_0/forward"][-1] == found["body/layer_0/backward"][-1] == 9 * 4 * 8 * (4 + 8)
        assert found["head/output"] == ("Dense", "(4, 1)", 4 * 8 + 1, 4 * 8)
    if name == "nbsvm":
        assert not any(row[-1] for row in found.values())


def test_a_transformer_that_translates_looks_at_the_source_once_for_every_pair_of_places():
    s, t, d, v = 5, 6, 8, 11
    config = Seq2SeqTransformerConfig(features=d, heads=2, layers=1, mlp_ratio=2, dropout=0.0)
    model = build_encoder_decoder(config, vocabulary_size=v, start_token=0, source_vocabulary=13)
    found = rows_of(traced_layers(model, ids(3, s), ids(3, t)))
    assert found["encoder/block_0/attention"][-1] == 2 * s * s * d
    assert found["decoder/block_0/attention"][-1] == 2 * t * t * d
    assert found["decoder/block_0/cross_attention"][-1] == 2 * s * t * d
    assert found["decoder/block_0/cross_attention/key"][-1] == s * d * d
    assert found["head"][-1] == t * d * v
    blocks = s * (4 + 4) * d * d + t * (6 + 4) * d * d + s * 2 * d * d
    assert sum(row[-1] for row in found.values()) == blocks + 2 * d * (s * s + t * t + s * t) + t * d * v


@pytest.mark.parametrize("input_feeding", [False, True])
def test_a_recurrent_decoder_takes_the_same_fed_step_by_step(input_feeding):
    s, t, e, f, v = 5, 6, 3, 4, 30
    config = Seq2SeqConfig(features=f, embedding=e, attention="dot", input_feeding=input_feeding)
    model = build_encoder_decoder(config, vocabulary_size=v, start_token=0, source_vocabulary=20)
    found = rows_of(traced_layers(model, ids(3, s), ids(3, t)))
    fed = t * 4 * f * f * input_feeding
    assert {name: row[-1] for name, row in found.items() if row[-1]} == {
        "encoder/layer_0": s * 4 * f * (e + f),
        "decoder": t * 2 * s * f + t * 2 * f * f,  # the attention, and the layer behind it
        "decoder/layer_0": t * 4 * f * (e + f) + fed,
        "head": t * f * v,
    }


class _Kernel(nn.Module):
    @nn.compact
    def __call__(self):
        return self.param("kernel", nn.initializers.ones, (3, 2))


class _Outer(nn.Module):
    @nn.compact
    def __call__(self, x):
        return jnp.tanh(x @ _Kernel(name="own")()), jnp.zeros(())


def test_what_has_no_batch_axis_is_no_output_and_names_are_as_others_would_say_them():
    found = rows_of(traced_layers(_Outer(), jax.ShapeDtypeStruct((7, 3), jnp.float32)))
    assert found == {"own": ("Kernel", "", 6, 6)}


class _Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.ones, (4, 4))
        x = nn.Dense(2, name="in")(nn.Dense(4, name="wide")(x)) @ kernel[:2]
        return nn.relu(nn.Dense(4, name="wide_again")(x)) @ x.T, x


def test_what_the_model_multiplies_by_itself_has_the_row_of_its_parameter_or_one_below_the_layers():
    found = rows_of(traced_layers(_Net(), jax.ShapeDtypeStruct((7, 3), jnp.float32), kinds={"Dense": "Linear"}))
    assert found == {
        "wide": ("Linear", "(7, 4)", 16, 12),
        "in": ("Linear", "(7, 2)", 10, 8),
        "kernel": ("", "", 16, 8),
        "wide_again": ("Linear", "(7, 4)", 20, 16),
        "(model)": ("Net", "(7, 7)", 0, 4),
    }


def test_without_more_a_task_has_its_parameters_and_the_products_of_its_loss():
    class Squares(TaskDefaults):
        net = nn.Sequential([nn.Dense(5), nn.Dense(1)])

        def loader(self, split, *, train):
            assert (split, train) == ("train", True)
            return lambda step: {"x": jnp.zeros((16, 3)), "y": jnp.zeros(16)}

        def init(self, key):
            return self.net.init(key, jnp.zeros((1, 3)))

        def loss(self, variables, carry, batch, context):
            assert (carry, context.train) == (None, True)
            assert batch["x"].shape == (1, 3)
            made: Any = self.net.apply(variables, batch["x"])
            error = made[:, 0] - batch["y"]
            return LossOutput({"loss": Tally(error @ error, jnp.float32(error.size))})

    task: Any = Squares()
    found = rows_of(task.layer_outputs(), loss_products(task))
    assert {name: row[2:] for name, row in found.items()} == {
        "layers_0": (20, 15),
        "layers_1": (6, 5),
        "loss": (0, 1),
    }


@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_word_vectors_are_tables_and_a_loss(tmp_path, algorithm):
    words = write_words(tmp_path / "words.txt")
    task = WordVectorLearning.create(experiment_of(words, task={"algorithm": algorithm, "window": 2}), Workspace())
    found = rows_of(task.layer_outputs(), loss_products(task))
    size = task.tokenizer.vocabulary_size
    assert found["input"] == ("Embedding", "(4, 8, 5)" if algorithm == "skipgram" else "(4, 12, 5)", size * 5, 0)
    assert found["output"] == ("Embedding", "(4, 12, 5)" if algorithm == "skipgram" else "(4, 8, 5)", size * 5, 0)
    assert found["loss"][-1] >= 8 * task.section.shared * 5  # each centre with all negatives of its block


def test_text_vectors_are_tables_and_a_loss(tmp_path):
    source = write_texts(tmp_path / "texts.tsv", 30)
    task = TextVectorLearning.create(texts_experiment(source, task={"algorithm": "dm"}), Workspace())
    found = rows_of(task.layer_outputs(), loss_products(task))
    assert list(found) == ["text", "input", "output", "loss"]
    assert found["text"] == ("Embedding", "(4, 32, 5)", 5 * len(task.trained.begins), 0)
    assert found["input"][1] == "(4, 36, 5)"
    assert found["loss"][-1] >= 32 * task.section.shared * 5


def test_what_a_module_holds_to_look_up_in_has_a_row_of_its_own():
    model, task = MODELS["gru"]
    found = traced_layers(build_classifier(task, model, vocabulary_size=50, classes=2, length=9), ids(4, 9))
    assert rows_of(found)["body"] == ("Recurrent", "(4, 9, 8)", 50 * 4, 0)
    found = rows_of(with_tables(found, {"body/embedding": (4, 9), "body/position_table": (4, 9)}))
    assert list(found)[:2] == ["body/embedding", "body/layer_0"]
    assert found["body/embedding"] == ("Embedding", "(4, 9, 4)", 50 * 4, 0)


def test_a_model_is_traced_anew_each_time():
    model = build_model(RNNConfig(features=5), vocabulary_size=6)
    found: Any = [layer_outputs(each, batch_size=3, length=4) for each in (model, model.clone())]
    once, again = found
    assert once.kinds
    assert once[:3] == again[:3]
    assert once.products() == again.products() == once.products()
