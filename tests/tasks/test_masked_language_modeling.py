"""Masked language modelling as a task: what it learns, what it says of texts, and what is refused."""

import dataclasses
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from small_documents import TOPICS, documents, experiment_of, write_documents

from jaxseq.config import AdamConfig, RNNConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.ops.objective import EVALUATION
from jaxseq.reporting.hidden_tokens import REPORT, is_report
from jaxseq.reporting.summary import count_parameters, layers_of
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.runs.in_memory import train_model
from jaxseq.tasks import MaskedLanguageModeling, Workspace

WIKITEXT = "".join(
    f" \n = Title {number} = \n \n = = Part = = \n \n {text.replace('moos', '<unk>').replace('.', ' .')} \n"
    for number, text in enumerate(documents(20, seed=3))
)


def made(experiment, artifacts=None) -> MaskedLanguageModeling:
    return MaskedLanguageModeling.create(experiment, Workspace(artifacts=artifacts))


def pairs_of(task) -> int:
    """How many there are to validate with."""
    return task.loader("validation", train=False).examples


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_documents(tmp_path_factory.mktemp("documents") / "sounds.txt", 400)


@pytest.fixture(scope="module")
def trained(source):
    task = made(experiment_of(source, model={"positions": "learned", "context": 10}))
    params = task.init(jax.random.key(0))["params"]
    optimizer = AdamConfig(learning_rate=5e-3)
    params = train_model(task.loss, params, task.training_loader, steps=450, optimizer=optimizer)
    return task, {"params": params}


def test_hidden_words_are_learned_beyond_how_often_they_come_and_pairs_by_their_rule(trained):
    task, variables = trained
    found = SplitEvaluator(task.evaluations("validation")["examples"], devices=1)(variables)
    chances = np.bincount(task.documents["train"].tokens) / len(task.documents["train"].tokens)
    counts = np.bincount(task.documents["validation"].tokens, minlength=len(chances))
    unigram = -(counts[counts > 0] * np.log(chances[counts > 0])).sum() / counts.sum()
    assert found["masked_loss"] < unigram / 3
    assert found["accuracy"] > 0.8
    # A text from elsewhere is of the same place once in four times: at the best 7 of 8 are told apart.
    assert 0.75 < found["pair_accuracy"] <= 1
    weight = round(0.25 * 7)  # hidden tokens of an example that is full
    pairs = pairs_of(task)
    total = found["tokens"] * found["masked_loss"] + weight * pairs * found["pair_loss"]
    np.testing.assert_allclose(found["loss"], total / found["tokens"], rtol=1e-4)


def test_what_is_hidden_is_filled_with_what_belongs_there(trained):
    task, variables = trained
    asked = ["Dog [MASK] farm. Dog barks farm.", "[MASK] hoots [MASK].", "Dog barks farm.", "", "zzz [MASK]"]
    dog, owl, none, empty, unknown = task.predict(variables, asked)
    assert [made.text for made in (dog, owl, none, empty, unknown)] == asked
    assert next(iter(dog.masks[0].probabilities)) == "barks"
    assert [next(iter(mask.probabilities)) for mask in owl.masks] == ["Owl", "night"]
    for made in (dog, owl, unknown):
        for mask in made.masks:
            chances = list(mask.probabilities.values())
            assert len(chances) == 10
            assert chances == sorted(chances, reverse=True)
            assert 0 < sum(chances) <= 1 + 1e-6
            assert not set(mask.probabilities) & {"[CLS]", "[SEP]", "[MASK]", "<pad>", "<unk>"}
        assert made.note == ""
    for made in (none, empty):
        assert made.masks == ()
        assert made.note == "there is no [MASK] in it"
    assert unknown.unknown == ["zzz"]


def test_answers_hang_on_their_text_alone(trained):
    task, variables = trained
    texts = ["Dog [MASK] farm.", "[MASK] [MASK] [MASK]", "Seal roars sea. [MASK] rings town.", "Bat [MASK] night."]
    together = list(task.predict(variables, [*texts, *texts[::-1]]))
    for text, one, other in zip(texts, together, together[::-1], strict=False):
        (alone,) = task.predict(variables, [text])
        assert alone == one == other
    vectors = list(task.embed(variables, [*texts, ""]))
    for text, vector in zip([*texts, ""], vectors, strict=True):
        (alone,) = task.embed(variables, [text])
        np.testing.assert_array_equal(alone, vector)


def test_a_vector_is_the_mean_over_all_tokens_and_tells_of_what_a_text_is(trained):
    task, variables = trained
    run = jax.jit(partial(task.model.apply, method="features"))

    def features(ids):
        tokens = [task.tokenizer.start, *ids, task.tokenizer.separator]
        padded = np.array([*tokens, *[0] * (10 - len(tokens))], np.int32)
        return np.asarray(run(variables, padded[None], mask=np.arange(10)[None] < len(tokens)))[0, : len(tokens)]

    ids = task.tokenizer.encode("Dog barks farm. Cow")  # 5 tokens
    (vector,) = task.embed(variables, ["Dog barks farm. Cow"])
    assert (vector.dtype, vector.shape) == (np.float32, (32,))
    np.testing.assert_allclose(vector, features(ids).mean(axis=0), rtol=1e-4, atol=1e-5)
    long = "Dog barks farm. Cow moos farm. Dog"  # 9 tokens, and 8 have room
    ids = task.tokenizer.encode(long)
    parts = np.concatenate([features(ids[:8]), features(ids[8:])])
    (vector,) = task.embed(variables, [long])
    np.testing.assert_allclose(vector, parts.mean(axis=0), rtol=1e-4, atol=1e-5)
    texts = [f"{who} {heard} {place}." for place, both in TOPICS.items() for who, heard in both.items()]
    table = np.array(list(task.embed(variables, texts)))
    table -= table.mean(axis=0)
    cosines = table @ table.T / np.outer(*[np.linalg.norm(table, axis=1)] * 2)
    np.fill_diagonal(cosines, -1)
    assert (cosines.argmax(axis=1) == np.arange(8) ^ 1).mean() > 0.8


def test_of_a_text_that_is_too_long_what_stands_around_its_masks_is_read(trained):
    task, variables = trained
    far = "Dog barks farm. " * 5
    parts = {
        f"[MASK] barks farm. {far}": "[MASK] barks farm. Dog barks farm.",
        f"{far}Dog [MASK] farm. {far}": "farm. Dog [MASK] farm. Dog barks",
        f"{far}Dog barks [MASK]": ". Dog barks farm. Dog barks [MASK]",
        f"{far}Dog [MASK] [MASK]": ". Dog barks farm. Dog [MASK] [MASK]",
    }
    for long, short in zip(task.predict(variables, parts), task.predict(variables, parts.values()), strict=True):
        assert long.masks == short.masks
        assert long.note.endswith("tokens were read, those around [MASK]")
        assert short.note == ""
    (begin, both) = task.predict(variables, [next(iter(parts)), f"[MASK]{far}[MASK]"])
    assert begin.note == "8 of its 24 tokens were read, those around [MASK]"
    assert both.masks == ()
    assert both.note == "its [MASK] are 22 tokens apart and the model reads 8: ask for fewer at a time"


def test_restored_from_its_artifacts_it_needs_no_data_and_says_the_same(trained):
    task, variables = trained
    again = MaskedLanguageModeling.restore(task.experiment, task.artifacts())
    assert again == task
    assert hash(again) == hash(task)
    assert again.artifacts() == task.artifacts()
    assert again.documents is None
    asked = ["Dog [MASK] farm."]
    assert list(again.predict(variables, asked)) == list(task.predict(variables, asked))
    assert list(again.splits()) == ["train", "validation", "test"]
    with pytest.raises(ValueError, match="restored without data"):
        again.fingerprint()
    with pytest.raises(InputError, match=r"there is no tokenizer\.json"):
        MaskedLanguageModeling.restore(task.experiment, {})
    with pytest.raises(InputError, match=r"tokenizer\.json is no JSON"):
        MaskedLanguageModeling.restore(task.experiment, {"tokenizer.json": b"{"})


def test_a_run_ends_with_what_is_found_in_some_texts(trained):
    task, variables = trained
    shown = task.showcase(variables, jax.random.key(0), step=300)
    content = shown.files[REPORT]
    assert task.showcase_files[REPORT] is is_report
    assert is_report(content[:1000])
    text = content.decode()
    found = SplitEvaluator(task.evaluations("validation")["examples"], devices=1)(variables)
    assert text.startswith("hidden tokens of the validation split, by the parameters of step 300\n")
    assert f"of {found['tokens']} hidden tokens {found['accuracy']:.2%} are told right\n" in text
    assert f"of {pairs_of(task)} pairs {found['pair_accuracy']:.2%} are told right\n" in text
    assert text.count("that the second text follows has a probability of") == 3
    # What is shown is what is measured: the same tokens are hidden there.
    loader = task.loader("validation", train=False)
    batch, numbers = loader(0), loader.rows(0).tolist()
    names = task.tokenizer.vocabulary.symbols
    row = numbers.index(0)
    block = text.split("\n\n")[1].splitlines()
    tokens, segments = batch.tokens[row], batch.segments[row]
    real = batch.mask[row]
    assert block[0] == task.tokenizer.decode(tokens[real & (segments == 0)])
    assert block[1] == task.tokenizer.decode(tokens[real & (segments == 1)])
    for line, at, target in zip(block[4:], batch.positions[row], batch.targets[row], strict=False):
        assert line.split()[:2] == [names[target], names[tokens[at]]]
    without = made(dataclasses.replace(task.experiment, task=dataclasses.replace(task.section, examples=0)))
    assert "second text" not in without.showcase(variables, jax.random.key(0), step=1).files[REPORT].decode()


def test_batches_follow_from_the_step_and_evaluations_are_the_same_each_time(source):
    task, other = (made(experiment_of(source)) for _ in range(2))
    train, again = task.training_loader, other.loader("train", train=True)
    for step in (0, 3, train.steps_per_epoch, 0):
        for one, two in zip(train(step), again(step), strict=True):
            np.testing.assert_array_equal(one, two)
    loader = task.evaluations("test")["examples"].loader
    for one, two in zip(loader(0), loader(loader.steps_per_epoch), strict=True):
        np.testing.assert_array_equal(one, two)
    first, later = train(0), train(train.steps_per_epoch)
    assert any((one != two).any() for one, two in zip(first, later, strict=True))
    assert task.loader("test", train=False, rows=3).batch_size == 3


def test_the_fingerprint_follows_what_is_trained_on_and_validated_with(source, tmp_path):
    lines = source.read_text().splitlines()
    experiment = experiment_of(source)
    task = made(experiment)

    def changed(number, text):
        (tmp_path / "text.txt").write_text("\n".join([*lines[:number], text, *lines[number + 1 :]]))
        return made(experiment_of(tmp_path / "text.txt"), task.artifacts())

    assert made(experiment, task.artifacts()).fingerprint() == task.fingerprint()
    assert changed(0, lines[0]).has_fingerprint(task.fingerprint())
    for number in (0, 330):
        assert not changed(number, f"Dog {lines[number]}").has_fingerprint(task.fingerprint())
        # The same tokens, but one sentence less.
        assert not changed(number, lines[number].replace(". ", ".", 1)).has_fingerprint(task.fingerprint())
    assert changed(399, "Dog barks farm.").has_fingerprint(task.fingerprint())  # of the test split


@pytest.mark.parametrize("tokenizer", ["wordpiece", "word", "char", "bpe"])
def test_a_word_taken_out_of_wikitext_is_never_hidden_and_never_put_anywhere(tokenizer, tmp_path):
    (tmp_path / "wiki.txt").write_text(WIKITEXT)
    data = {"form": "wikitext", "tokenizer": tokenizer, "length": 24, "batch_size": 2}
    data |= {"pieces": 400 if tokenizer == "bpe" else 80} if tokenizer in ("bpe", "wordpiece") else {}
    task = made(experiment_of(tmp_path / "wiki.txt", data=data, task={"share": 0.9, "masked": 0.1, "random": 0.8}))
    unknown, loader = task.tokenizer.unknown, task.training_loader
    assert unknown in task.tokenizer.specials
    spelled = task.tokenizer.base.encode("<unk>")
    assert task.documents["train"].tokens.tolist().count(unknown) == "".join(documents(20, seed=3)[:16]).count("moos")
    if tokenizer == "wordpiece":  # which has learned no piece of it
        assert not any("unk" in name for name in task.tokenizer.vocabulary.ranked)
        assert task.tokenizer.base.unknown_id == unknown
    if tokenizer == "bpe":  # which knows every text, and so has no id for what is unknown
        assert unknown == task.tokenizer.vocabulary_size - 1
        assert unknown not in spelled
    seen = 0
    for step in range(2 * loader.steps_per_epoch):
        batch = loader(step)
        assert not np.isin(batch.targets[batch.chosen], task.tokenizer.specials).any()
        hidden = np.take_along_axis(batch.tokens, batch.positions, axis=1)[batch.chosen]
        replaced = hidden[hidden != task.tokenizer.mask]
        assert not np.isin(replaced, task.tokenizer.specials).any()
        seen += int((batch.tokens == unknown).sum())
    assert seen > 10


def test_pieces_of_words_are_given_with_their_mark_and_an_unknown_word_never(tmp_path):
    (tmp_path / "wiki.txt").write_text(WIKITEXT)
    task = made(experiment_of(tmp_path / "wiki.txt", data={"form": "wikitext", "tokenizer": "wordpiece", "pieces": 60}))
    params = task.init(jax.random.key(0))["params"]
    names = task.tokenizer.vocabulary.symbols
    # Unknown words and what begins a text are what it would say, and behind these pieces that continue a word.
    likes = [9.0 * (at in task.tokenizer.specials) + 5.0 * name.startswith("##") for at, name in enumerate(names)]
    params = {**params, "output_bias": np.array(likes, np.float32)}
    (one,) = task.predict({"params": params}, ["Cow <unk> [MASK]"])
    assert len(one.masks[0].probabilities) == 10
    assert all(name.startswith("##") for name in one.masks[0].probabilities)


def test_without_pairs_short_texts_come_in_shorter_batches_and_nothing_is_told_of_pairs(source):
    experiment = experiment_of(source, task={"pairs": False}, data={"length": 24, "lengths": 2, "batch_size": 16})
    task = made(experiment)
    assert len(task.training_loader.shapes) == 2
    variables = jax.eval_shape(task.init, jax.random.key(0))
    evaluation = task.evaluations("test")["examples"]
    assert [metric.name for metric in evaluation.shown] == ["masked_loss", "accuracy"]
    batch = task.training_loader(0)
    tallies = jax.eval_shape(lambda variables: task.loss(variables, None, batch, EVALUATION).tallies, variables)
    assert set(tallies) == {"loss", "masked_loss", "accuracy"}
    assert "pairs" not in task.describe({"masked_loss": 1.0, "accuracy": 0.5})
    assert "pairs 75.00%" in task.describe({"masked_loss": 1.0, "accuracy": 0.5, "pair_accuracy": 0.75})
    task = made(experiment_of(source, data={"split": (1.0, 0.0, 0.0)}))
    assert task.validation() is None


def test_the_table_of_layers_and_the_memory_are_those_of_a_training_batch(source):
    task = made(experiment_of(source, model={"positions": "learned", "context": 10}))
    found = task.layer_outputs()
    rows = {layer.name: layer for layer in layers_of(found.shapes, found.outputs, found.kinds, found.products())}
    shapes = jax.eval_shape(task.init, jax.random.key(0))["params"]
    assert sum(row.parameters for row in rows.values()) == count_parameters(shapes)
    assert rows["body/embedding"].output == rows["body/position_table"].output == "(32, 10, 32)"
    assert rows["body/segment_table"].kind == "Embedding"
    size = task.tokenizer.vocabulary_size
    assert list(rows)[-1] == "output_bias" or list(rows)[-2] == "relation"
    assert rows["output_bias"].output == f"(32, 2, {size})"
    assert rows["transform"][1:4] == ("Linear", "(32, 2, 32)", 32 * 33)
    assert rows["relation"].output == "(32, 1)"
    assert rows["body"].multiply_adds == 2 * 32 * size  # the output layer, whose kernel is the embedding
    batch = task.training_loader(0)
    outputs, batches = task.training_memory(batches=3)
    assert outputs.size == 4 * 32 * 10 * 32
    assert batches.size == 3 * sum(array.nbytes for array in batch)
    assert "vocabulary" in task.overview()
    assert "to train on:" in task.overview()


def test_what_does_not_fit_is_refused_before_anything_is_read():
    def refusal(**sections):
        with pytest.raises(ConfigError) as caught:
            made(experiment_of(Path("nowhere.txt"), **sections))
        return str(caught.value)

    assert refusal(data={"length": 4}) == "data.length is 4: [CLS] A [SEP] B [SEP] takes 5 tokens or more, give as many"
    told = "data.length is 2: [CLS] A [SEP] takes 3 tokens or more, give as many"
    assert refusal(data={"length": 2}, task={"pairs": False}) == told
    assert refusal(model={"positions": "learned", "context": 9}) == (
        "model.context is 9 and data.length 10: a text has more tokens than there are positions, raise "
        "--model.context or lower --data.length"
    )
    assert refusal(model={"segments": 1}) == "model.segments is 1: with task.pairs two texts are told apart, give 2"
    experiment = dataclasses.replace(experiment_of(Path("nowhere.txt")), model=RNNConfig())
    with pytest.raises(ConfigError, match=r"model\.kind is 'rnn': a model that finds hidden tokens is encoder"):
        made(experiment)
    for task, told in (({"share": 0.0}, "task.share is 0.0"), ({"masked": 0.8, "random": 0.3}, "task.random is 0.3")):
        with pytest.raises(ConfigError, match=told):
            experiment_of(Path("nowhere.txt"), task=task)


@pytest.mark.parametrize(
    ("content", "data", "told"),
    [
        ("Dog barks farm. Cow moos farm.\n" * 5, {"form": "texts"}, "has 1 document, which leaves none for the"),
        ("\n \n", {}, "text.txt holds no document: give a source with text, or look at how documents are told apart"),
        (
            "Dog barks. Cow moos.\n",
            {"split": (1.0, 0.0, 0.0)},
            "the train split of text.txt cannot be used: the",
        ),
        ("Dog barks farm.\n" * 9, {"split": (1.0, 0.0, 0.0)}, "no document has two sentences"),
        (
            "Dog barks farm. Cow moos.\n" * 9,
            {"split": (1.0, 0.0, 0.0), "validation_source": "other.txt"},
            "the validation split of text.txt cannot be used: the corpus has 1 document,",
        ),
        (
            "Dog barks farm. Cow moos.\n" * 9,
            {"split": (1.0, 0.0, 0.0), "test_source": "empty.txt"},
            "empty.txt holds no document: give a source with text",
        ),
    ],
)
def test_documents_that_cannot_be_used_are_told_in_a_line(content, data, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("text.txt", content), ("other.txt", "Dog barks. Cow moos."), ("empty.txt", " \n")):
        (tmp_path / name).write_text(text)

    def begin():
        task = made(experiment_of(Path("text.txt"), data={"batch_size": 1, **data}))
        task.loader("train", train=True)
        task.validation()

    with pytest.raises(InputError) as caught:
        begin()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
