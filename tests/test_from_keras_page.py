"""The page docs/from-keras.md: its blocks are run, one section a notebook, and give what Keras and plain loops give."""

import contextlib
import importlib.util
import inspect
import io
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import pages
import pytest

from jaxseq.commands.main import COMMANDS, main
from jaxseq.config import SECTIONS as CONFIG_SECTIONS
from jaxseq.config import TrainConfig, kinds_of
from jaxseq.config.fields import rules_of
from jaxseq.nn import LSTM, POOLINGS
from jaxseq.ops.objective import EVALUATION
from jaxseq.text import WordTokenizer, fit_keras_tokenizer, keras_json
from jaxseq.training.step import make_train_step

PAGE = pages.read_page("from-keras.md")
SECTIONS = pages.sections(PAGE)
LIVE, DEAD = ("# Keras", "# jaxseq"), ("# Keras 2", "# TensorFlow Addons")

keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="the page has Keras on its backend JAX"),
    # Keras's own: of arrays that NumPy 2 asks another way, and of a mask that a layer has no use for.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Layer .* does not support masking:UserWarning"),
]


def first_line(code: str) -> str:
    return code.partition("\n")[0]


def alive(section: str) -> list[str]:
    """The blocks of a section that run."""
    return [code for code in pages.blocks(SECTIONS[section]) if first_line(code) in LIVE]


def begun() -> dict:
    """The names that every section begins with."""
    names: dict = {}
    pages.run("\n".join(re.findall("`(import [^`]+)`", SECTIONS[""])), names)
    keras.utils.set_random_seed(0)
    return names


def notebook(section: str) -> tuple[dict, int]:
    """The names that the blocks of a section make, and how many values were held against what is written."""
    names = begun()
    return names, sum(pages.run(code, names, place=f"from-keras.md, {section}") for code in alive(section))


def gone(section: str) -> str:
    """The block of Keras 2 in a section."""
    (code,) = (code for code in pages.blocks(SECTIONS[section]) if first_line(code) == DEAD[0])
    return code


@pytest.mark.parametrize("code", ["1 + 1  # 3", "[0.5, 1.0]  # [0.5]", "np.ones(2)  # [1, 1]", "1 == 1  # False"])
def test_a_wrong_value_on_a_page_is_noticed(code):
    with pytest.raises(AssertionError):
        pages.run(code, {"np": np})
    assert pages.run("1 + 1  # two", {}) == 0
    assert pages.run("np.arange(2) / 3  # [0.0, 0.3333]", {"np": np}) == 1


def test_every_block_says_what_it_is_and_the_page_can_be_read_at_a_sitting():
    assert {first_line(code) for code in pages.blocks(PAGE)} == {*LIVE, *DEAD}
    lines = PAGE.splitlines()
    assert len(lines) < 420
    assert max(len(line) for line in lines if not line.startswith("|")) <= 120
    linked = set(re.findall(r"\]\(#([\w-]+)\)", PAGE))
    assert linked == {name.lower().replace(" ", "-") for name in SECTIONS if name}
    assert all((pages.DOCS / name).is_file() for name in re.findall(r"\]\(([\w-]+\.md)\)", PAGE))


def test_texts_have_the_ids_that_a_plain_count_gives():
    names, held = notebook("Text")
    assert held == 5
    # What the tokenizer of Keras 2 is said to give, by hand: words by frequency, those that come first first.
    words = " ".join(names["texts"]).replace("!", "").lower().split()
    ranked = [word for word, _ in Counter(words).most_common()]
    ids = {"<OOV>": 1, **{word: number for number, word in enumerate(ranked, 2)}}
    known = {word: number for word, number in ids.items() if number < 5}
    said = list(pages.values(gone("Text")).values())
    read = [known.get(word, 1) for word in ("the", "cat", "saw", "the", "dog")]
    assert said == [[read], ["the cat <OOV>"], len(ids) + 1]
    legacy = pytest.importorskip("keras.src.legacy.preprocessing.text")
    theirs = {"Tokenizer": legacy.Tokenizer}
    assert pages.run(gone("Text"), theirs) == 3
    assert json.loads(names["saved"])["config"].keys() == json.loads(theirs["tokenizer"].to_json())["config"].keys()
    assert legacy.tokenizer_from_json(names["saved"]).word_index == theirs["tokenizer"].word_index


def test_windows_and_masks():
    names, held = notebook("Windows and masks")
    assert held == 10
    series = names["series"].tolist()
    windows, strided = pages.values(gone("Windows and masks")).values()
    assert windows == ([series[i : i + 3] for i in range(3)], series[3:])
    assert strided == [series[start : start + 5 : 2] for start in range(0, 2, 2)]
    assert names["targets"].tolist() == [[1, 2, 3], [3, 4, 5]]


def test_layers_give_what_those_of_keras_give():
    _, held = notebook("Recurrent layers")
    assert held == 11


def test_weighted_losses_and_loops_of_ones_own():
    names, held = notebook("Training")
    assert held == 6
    batch, model, start = names["loader"](0), names["model"], names["start"]
    weights = np.array([1.0, 3.0])[batch.labels]
    loss = names["weighted"]({"params": start}, None, batch, EVALUATION).tallies["loss"]
    logits = model.apply({"params": start}, batch.inputs, mask=batch.mask)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    assert float(loss.total) == pytest.approx(float(theirs(batch.labels, logits, sample_weight=weights)), rel=1e-5)
    assert float(loss.count) == weights.sum() == 8


def test_sampling_and_decoding_equal_plain_loops_over_the_whole_text():
    names, held = notebook("Sampling and decoding")
    assert held == 2
    model, params, source, mask = (names[name] for name in ("model", "params", "source", "mask"))
    read = jax.jit(lambda inputs: model.apply({"params": params}, source, inputs, source_mask=mask))
    np.testing.assert_allclose(read(names["inputs"]), names["logits"], atol=1e-5)

    text = np.ones((2, 6), np.int64)  # it begins with the token 1
    for place in range(1, 6):
        text[:, place] = read(text[:, :-1])[:, place - 1].argmax(-1)
    for row, ids in enumerate(text[:, 1:].tolist()):
        ended = ids[: ids.index(2) + 1] if 2 in ids else ids
        assert names["greedy"].tokens[row, : names["greedy"].lengths[row]].tolist() == ended

    mixed, own = np.asarray(names["mixed"]), read(names["mixed"]).argmax(-1)
    assert (mixed[:, 0] == 1).all()
    replaced = mixed != names["inputs"]
    assert replaced.any()
    assert (mixed[:, 1:] == own[:, :-1])[replaced[:, 1:]].all()

    found = names["found"]
    for place in range(3):
        tokens = found.tokens[:, place]
        logs = np.asarray(jax.nn.log_softmax(read(np.pad(tokens, ((0, 0), (1, 0)), constant_values=1)[:, :-1])))
        counts = np.arange(5) < found.lengths[:, place, None]
        sums = (np.take_along_axis(logs, tokens[:, :, None], axis=2)[:, :, 0] * counts).sum(axis=1)
        np.testing.assert_allclose(found.log_probabilities[:, place], sums, rtol=1e-4)
    assert (found.scores[:, 0] >= names["greedy"].log_probabilities - 1e-4).all()


def test_vectors_of_sentences_are_sums_over_roots():
    names, held = notebook("Vectors")
    assert held == 1
    for row, made in zip(names["ids"], names["vectors"], strict=True):
        real = [names["matrix"][id] for id in row if id]
        np.testing.assert_allclose(sum(made) / len(real) ** 0.5, sum(real) / len(real) ** 0.5, rtol=1e-6)


@pytest.mark.usefixtures("unchecked")  # sizes that are open are no numbers
def test_weights_and_tokenizer_of_keras_become_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(pages.DOCS.parent / "configs")
    texts = ["a fine film", "dull and sad", "fine and lovely", "so sad a film"] * 20
    Path("reviews.csv").write_text(
        "text,label\n" + "".join(f"{text},{'neg' if 'sad' in text else 'pos'}\n" for text in texts)
    )
    Path("tokenizer.json").write_text(keras_json(*fit_keras_tokenizer(texts)))
    of_keras, ours = alive("Saving")
    names = begun()
    pages.run(of_keras, names)
    model, tokenizer = names["model"], fit_keras_tokenizer(texts)[0]
    before = float(model(tokenizer.encode("a fine film")[None])[0, 0])
    (console,) = pages.blocks(SECTIONS["Saving"], "console")
    told = []
    for line in console.replace("\\\n", "").splitlines():
        program, *words = shlex.split(line)
        assert program == "jaxseq"
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert main(words) == 0
        told.append(out.getvalue())
    model.set_weights([np.zeros(weights.shape) for weights in model.get_weights()])
    assert pages.run(ours, names, place="from-keras.md, Saving") == 1
    assert names["made"].probabilities["pos"] == pytest.approx(before, abs=1e-6)
    assert json.loads(told[2])["probabilities"] == pytest.approx(names["made"].probabilities)
    assert {path.name for path in Path("out").iterdir()} >= {"model.safetensors", "config.json", "tokenizer.json"}


def test_options_and_commands_that_it_names_are_there():
    sections = {section: [rules_of(kind) for kind in kinds_of(section).values()] for section in CONFIG_SECTIONS}
    sections["train"] = [rules_of(TrainConfig)]
    named = re.findall(r"--(\w+)\.([a-z-]+)", PAGE)
    assert len(named) > 20
    for section, option in named:
        name = option.replace("-", "_")
        assert any(name in rules for rules in sections[section]), f"--{section}.{option}"
    assert set(re.findall(r"`jaxseq (\w+)", PAGE)) <= set(COMMANDS)


def test_names_that_its_table_gives_are_there():
    packages = [
        importlib.import_module(f"jaxseq.{name}") for name in ("text", "data", "nn", "decoding", "runs", "tasks")
    ]
    places = [*packages, WordTokenizer, POOLINGS]
    arguments = {*inspect.signature(LSTM.__call__).parameters, make_train_step.__name__}
    cells = [row.split("|")[3] for row in SECTIONS[""].splitlines() if row.count("|") >= 4]
    codes = [code for cell in cells for code in re.findall("`([^`]+)`", cell)]
    named = {name for code in codes for name in re.findall(r"^(?!jaxseq|jnp)[A-Za-z]\w*", code)}
    missing = {name for name in named - arguments if not any(hasattr(place, name) for place in places)}
    assert missing <= {"Dense", *POOLINGS, "general", "dot"}


def test_keras_does_what_the_page_says_of_it():
    x, mask = np.ones((2, 3, 2), np.float32), np.array([[1, 1, 1], [1, 0, 0]], bool)
    lstm = keras.layers.LSTM(2, zero_output_for_mask=True)
    assert (np.asarray(lstm(x, mask=mask))[1] == 0).all()  # keras#17596

    weights = [variable.value for variable in lstm.trainable_variables]
    others = [variable.value for variable in lstm.non_trainable_variables]
    holed = np.where(mask[:, :, None], x, np.float32(np.nan))
    slopes = jax.grad(lambda weights: lstm.stateless_call(weights, others, holed, mask=mask)[0].sum())(weights)
    assert all(np.isnan(slope).any() for slope in slopes)

    ids, targets = np.array([[1, 2, 3], [1, 0, 0]]), np.array([[2, 3, 1], [2, 0, 0]])
    embedding = keras.layers.Embedding(4, 4, mask_zero=True)
    assert hasattr(embedding(ids), "_keras_mask")
    assert not hasattr(2 * embedding(ids), "_keras_mask")
    model = keras.Sequential([keras.Input((None,)), embedding, keras.layers.Dense(4)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = -np.take_along_axis(np.asarray(jax.nn.log_softmax(model(ids).copy())), targets[:, :, None], axis=2)[
        :, :, 0
    ]
    together, apart = (model.evaluate(ids, targets, batch_size=size, verbose=0) for size in (2, 1))
    assert together == pytest.approx(losses[ids > 0].mean(), rel=1e-5)
    assert apart == pytest.approx((losses[0].mean() + losses[1, 0]) / 2, rel=1e-5)
    assert together != pytest.approx(apart, rel=1e-5)

    with pytest.raises(ValueError, match="sum"):
        np.random.multinomial(1, np.array([0.5, 0.5000005, 0], np.float32))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("keras.preprocessing.text")
    if importlib.util.find_spec("tensorflow") is None:
        with pytest.raises(ImportError, match="tensorflow"):
            keras.utils.timeseries_dataset_from_array(np.arange(6), None, 3)
        with pytest.raises(ImportError, match="TensorFlow"):
            keras.layers.TextVectorization()
