"""Captioning as a task: what it makes of captioned pictures, what is trained on, and how splits are measured."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from small_captioners import (
    MODEL,
    artifacts_for,
    captions_data,
    experiment_of,
    made,
    random_variables,
    scenes_data,
    squares,
    write_squares,
)
from small_digits import write_digits

from jaxseq.config import AdamConfig, CaptionsConfig, CorpusConfig, LanguageModelingConfig, RNNConfig
from jaxseq.errors import ConfigError, InputError
from jaxseq.metrics.translation import translation_scores
from jaxseq.ops.objective import LossContext
from jaxseq.ops.picture_stack import ConvolutionWeights, run_by_layers
from jaxseq.reporting.multiply_adds import multiply_adds
from jaxseq.reporting.summary import layers_of
from jaxseq.runs import train_model
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.tasks import Captioning
from jaxseq.tasks.capabilities import CaptionOptions
from jaxseq.tasks.captioning.captioning import ATTENTION
from jaxseq.tasks.described import Picture
from jaxseq.tasks.picture_form import PictureForm

MEASURING = LossContext(None, None)
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_squares(tmp_path_factory.mktemp("pictures") / "squares", 60)


@pytest.fixture(scope="module")
def task(folder) -> Captioning:
    return made(experiment_of(captions_data(folder)))


@pytest.fixture(scope="module")
def variables(task):
    return random_variables(task)


@pytest.fixture(scope="module")
def loss_of(task, variables):
    """(batch) -> {"loss": (total, count), ...}, as a training measures."""
    loss = jax.jit(lambda batch: task.loss(variables, None, batch, MEASURING).tallies)
    return lambda batch: jax.tree.map(np.asarray, loss(batch))


@pytest.fixture(scope="module")
def logits_of(task, variables):
    logits = jax.jit(lambda batch: task.model.apply(variables, batch.pictures, batch.inputs, mask=batch.mask))
    return lambda batch: np.asarray(logits(batch))


def test_the_language_is_given_and_never_predicted(task, loss_of, logits_of):
    batch = task.loader("train", train=True)(0)
    begins = {task.tokenizer.begin(language) for language in ("english", "korean")}
    assert set(batch.inputs[:, 0].tolist()) == begins
    assert not begins & set(batch.targets[batch.mask].tolist())
    logits = logits_of(batch).astype(float)
    likely = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(likely, batch.targets[..., None], axis=-1)[..., 0][batch.mask]
    total, count = loss_of(batch)["loss"]
    np.testing.assert_allclose(total, losses.sum(), rtol=1e-5)
    assert (
        count
        == batch.mask.sum()
        == (5 * (batch.inputs[:, 0] == task.tokenizer.begin("english"))).sum()
        + (4 * (batch.inputs[:, 0] == task.tokenizer.begin("korean"))).sum()
    )
    other = np.where(np.arange(batch.inputs.shape[1]) == 0, sum(begins) - batch.inputs, batch.inputs)
    assert loss_of(batch._replace(inputs=other))["loss"].total != total  # it is read, though


def test_a_later_word_changes_no_earlier_logit(task, logits_of):
    batch = task.loader("train", train=True)(0)
    expected = logits_of(batch)
    for at in range(1, 5):
        inputs = batch.inputs.copy()
        inputs[:, at:] = 2 + inputs[:, at:] % 5
        changed = logits_of(batch._replace(inputs=inputs))
        np.testing.assert_array_equal(changed[:, :at], expected[:, :at])
        assert (changed[:, at] != expected[:, at]).any()


def test_pictures_are_scaled_by_what_those_to_train_on_have_and_a_run_keeps_it(task):
    pictures = task.parts["train"]["train"].captioned.pictures.astype(np.float64) / 255
    form = json.loads(task.artifacts()["pictures.json"])
    assert (form["height"], form["width"], form["channels"]) == (8, 8, 3)
    np.testing.assert_allclose(form["mean"], pictures.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(form["deviation"], pictures.std(axis=(0, 1, 2)))
    assert (task.model.mean, task.model.deviation) == (tuple(form["mean"]), tuple(form["deviation"]))
    flat = PictureForm.of(np.full((2, 3, 3, 1), 255, np.uint8))
    assert flat == PictureForm(3, 3, 1, (1.0,), (1 / 255,))


def test_the_task_is_restored_from_its_artifacts_alone(task, folder):
    restored = Captioning.restore(task.experiment, task.artifacts())
    assert restored == task  # so that nothing is compiled anew
    assert (restored.model, hash(restored.model)) == (task.model, hash(task.model))
    assert restored.artifacts() == task.artifacts()
    again = made(task.experiment, artifacts=task.artifacts())
    assert (again, again.fingerprint()) == (task, task.fingerprint())
    assert list(restored.splits()) == list(task.splits()) == ["train", "validation", "test"]
    for made_by in (restored.fingerprint, restored.overview, lambda: restored.loader("train", train=True)):
        with pytest.raises(ValueError, match="restored without data"):
            made_by()


def test_the_figures_are_of_captions_that_were_written_from_pictures_alone(task, variables):
    """sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning#17: scores of words after the right ones, told as of captions."""
    (evaluation,) = task.evaluations("test", rows=16).values()
    assert evaluation.title == "test, free-running, beam 2"
    one, two = (SplitEvaluator(evaluation, devices=devices)(variables) for devices in (1, 2))
    assert one == pytest.approx(two, rel=1e-4)
    captioned = task.parts["test"]["test"].captioned
    pictures = [Picture(name, pixels) for name, pixels in zip(captioned.names, captioned.pictures, strict=True)]
    texts = {language: [] for language in ("english", "korean")}
    for described in task.caption(variables, pictures):
        for language, captions in described.captions.items():
            texts[language].append(captions[0].text)
    for language, tokenize in (("english", "13a"), ("korean", "char")):
        references = [dict(captions)[language] for captions in captioned.captions]
        scores = translation_scores(hypotheses=texts[language], references=references, tokenize=tokenize).summary()
        assert {name: one[f"{name}_{language}"] for name in scores} == scores
        assert one[f"distinct_{language}"] == len(set(texts[language]))
    assert one["chrf"] == pytest.approx((one["chrf_english"] + one["chrf_korean"]) / 2)
    assert one["distinct"] == one["distinct_english"] + one["distinct_korean"]
    assert {metric.name for metric in evaluation.shown} >= {"loss", "accuracy", "chrf_english", "distinct_korean"}
    for metric in evaluation.shown[2:]:
        assert "free-running" in metric.unit, metric
    assert task.describe(one).startswith("free-running: chrF ")
    assert task.validation().title == "validation, free-running, beam 1"


def test_a_model_that_is_right_only_after_right_words_scores_low(task):
    """One that has never seen a picture knows how captions go on: most words are hit where those before are given."""
    loader = task.loader("train", train=True)

    class Blank:
        steps_per_epoch, batch_size, uniform, left_out = loader.steps_per_epoch, loader.batch_size, loader.uniform, ""

        def __call__(self, step):
            batch = loader(step)
            return batch._replace(pictures=np.zeros_like(batch.pictures))

    optimizer = AdamConfig(learning_rate=2e-2)
    params = train_model(task.loss, task.init(KEY)["params"], Blank(), steps=150, optimizer=optimizer)
    for evaluation in (task.validation(), *task.evaluations("validation").values()):
        measured = SplitEvaluator(evaluation)({"params": params})
        assert measured["accuracy"] > 0.6
        assert measured["exact"] < 40
        assert measured["distinct"] == 2  # yunjey/pytorch-tutorial#100: one caption for all, in each language
        assert measured["right"] <= measured["exact"]


def test_a_model_that_learns_says_what_is_there_and_looks_at_it(task):
    params = train_model(
        task.loss, task.init(KEY)["params"], task.loader("train", train=True), steps=300, optimizer=AdamConfig(1e-2)
    )
    (evaluation,) = task.evaluations("test").values()
    measured = SplitEvaluator(evaluation)({"params": params})
    assert measured["right"] > 80
    pictures = [Picture(name, pixels) for name, pixels, _, _ in squares(8, seed=9)]
    wanted = [{"english": english, "korean": korean} for _, _, english, korean in squares(8, seed=9)]
    described = list(task.caption({"params": params}, pictures, options=CaptionOptions(attention=True)))
    hits = [
        captions[0].text == want[language]
        for each, want in zip(described, wanted, strict=True)
        for language, captions in each.captions.items()
    ]
    assert sum(hits) >= 14
    for each in described:
        assert each.side == 2
        for captions in each.captions.values():
            assert captions[0].attention.shape == (len(captions[0].text.split()), 4, 4)
            np.testing.assert_allclose(captions[0].attention.sum(axis=(1, 2)), 1, atol=1e-5)


def test_options_are_heeded_and_a_caption_hangs_on_its_picture_alone(task, variables):
    pictures = [Picture(name, pixels) for name, pixels, _, _ in squares(3, seed=5)]
    together = list(task.caption(variables, pictures, options=CaptionOptions(n_best=2)))
    for picture, made_of in zip(pictures, together, strict=True):
        (alone,) = task.caption(variables, [picture], options=CaptionOptions(n_best=2))
        assert made_of.picture is picture
        assert list(made_of.captions) == ["english", "korean"]
        for language, captions in made_of.captions.items():
            assert [one.text for one in captions] == [one.text for one in alone.captions[language]]
            scores = [[one.score for one in some] for some in (captions, alone.captions[language])]
            np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-5)
            assert len({one.text for one in captions}) == len(captions) == 2
            assert scores[0] == sorted(scores[0], reverse=True)
    (korean,) = task.caption(variables, pictures[:1], options=CaptionOptions(language="korean", max_length=2, beam=3))
    assert list(korean.captions) == ["korean"]
    assert len(korean.captions["korean"][0].text.split()) <= 2
    assert list(task.caption(variables, [])) == []
    for options, message in (
        ({"language": "german"}, "the language is 'german', and captions were learned in english, korean"),
        ({"n_best": 3}, "the 3 best of a beam of 2 hypotheses cannot be given"),
        ({"length_penalty": 11.0}, "the length penalty is 11.0"),
    ):
        with pytest.raises(InputError, match=message):
            list(task.caption(variables, pictures, options=CaptionOptions(**options)))


def test_scenes_are_measured_by_where_words_look_as_well(tmp_path):
    task = made(experiment_of(scenes_data(write_digits(tmp_path / "digits", side=28))))
    (evaluation,) = task.evaluations("test").values()
    measured = SplitEvaluator(evaluation)(random_variables(task))
    assert {metric.name for metric in evaluation.shown} <= set(measured)
    assert 0 <= measured["attention_hits"] <= 100
    blind = made(experiment_of(task.data, model=dataclasses.replace(MODEL, attention="none")))
    (evaluation,) = blind.evaluations("test").values()
    assert "attention_mass" not in SplitEvaluator(evaluation)(random_variables(blind))
    assert ATTENTION not in blind.showcase(random_variables(blind), KEY, step=3).files


def test_combinations_are_measured_in_parts(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    lines = ["image\tenglish"]
    for number, (one, other) in enumerate((a, b) for a in "abcde" for b in "vwxyz"):
        Image.fromarray(np.full((8, 8, 3), 9 * number, np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png\t{one}: {other}")
    (folder / "captions.tsv").write_text("\n".join(lines), encoding="utf-8")
    task = made(experiment_of(captions_data(folder, languages=("english",), combinations="english")))
    assert list(task.evaluations("test")) == ["unseen", "seen"]
    report = task.showcase(random_variables(task), KEY, step=3).files["captions.txt"].decode()
    assert "\nunseen\n" in report
    assert "\nseen\n" in report


def test_captions_without_a_named_language_are_one_nameless_one(tmp_path, folder):
    table = "\n".join(["image,caption", *(f"{name},{english}" for name, _, english, _ in squares(60))])
    (tmp_path / "captions.csv").write_text(table, encoding="utf-8")
    data = captions_data(folder, captions=str(tmp_path / "captions.csv"), languages=())
    task = made(experiment_of(data))
    assert task.tokenizer.languages == ("",)
    (evaluation,) = task.evaluations("test").values()
    measured = SplitEvaluator(evaluation)(random_variables(task))
    assert not any("_" in name for name in set(measured) - {"split_tokens"})
    (made_of,) = task.caption(random_variables(task), [Picture("a", squares(1)[0][1])])
    assert list(made_of.captions) == [""]


def test_splits_of_their_own_are_of_the_size_of_those_to_train_on(tmp_path, folder):
    own = write_squares(tmp_path / "own", 5, seed=3)
    fields = {"split": (0.8, 0.2, 0.0), "test_source": str(own)}
    task = made(experiment_of(captions_data(folder, **fields)))
    assert task.evaluations("test")["test"].loader.captions == 10
    before = task.fingerprint()
    for path in own.glob("*.png"):
        Image.open(path).resize((9, 8)).save(path)
    with pytest.raises(
        InputError, match=r"data.test_source has pictures of 8 x 9 and data.source of 8 x 8: give --dat"
    ):
        made(experiment_of(captions_data(folder, **fields)))
    resized = made(experiment_of(captions_data(folder, size=(8, 8), **fields)))
    assert resized.picture_size == (8, 8, 3, True)
    assert task.picture_size == (8, 8, 3, False)
    assert resized.fingerprint() == before  # the test split may come and go


def test_captions_too_long_to_train_on_are_told_and_measured_all_the_same(folder):
    told = []
    task = made(experiment_of(captions_data(folder, longest=4)), tell=told.append)
    (line,) = told
    assert "captions are left out of training, which have more than 4 tokens" in line
    assert task.loader("train", train=True).lengths == (4,)
    measured = task.loader("test", train=False)
    assert max(measured.lengths) >= 5
    assert {measured(step).inputs.shape[1] for step in range(measured.steps_per_epoch)} <= set(measured.lengths)


def test_what_a_run_ends_with_are_scores_examples_and_a_picture_of_where_words_looked(task, variables):
    shown = task.showcase(variables, KEY, step=7)
    report = shown.files["captions.txt"].decode()
    assert report.startswith("captions by the parameters of step 7, beam 2\nfree-running: ")
    assert "korean BLEU" in report
    assert report.count("\npicture ") == 2
    assert report.count("  reference") == 4
    assert "distinct captions in english of " in report
    for name, content in shown.files.items():
        assert task.showcase_files[name](content[:1000])
    assert list(shown.files) == ["captions.txt", ATTENTION]
    assert shown.command == ("caption", "RUN", "picture.png")
    few = made(dataclasses.replace(task.experiment, task=dataclasses.replace(task.section, examples=0)))
    assert list(few.showcase(variables, KEY, step=7).files) == ["captions.txt"]


def test_the_overview_the_table_of_layers_and_the_memory_are_told(task):
    assert "36 train" in task.overview() or " train, " in task.overview()
    assert "pictures of 8 x 8 x 3, read as 4 x 4 cells" in task.overview()
    assert "(english, korean) of " in task.overview()
    assert [part.size > 0 for part in task.training_memory(batches=3)] == [True, True, True]


def test_every_layer_of_the_encoder_has_its_row_with_the_products_of_the_plain_formulation(task, variables):
    shapes, outputs, kinds, products = task.layer_outputs()
    assert products is not None
    layers = {layer.name: layer for layer in layers_of(shapes, outputs, kinds, products())}
    stack = [name for name in layers if name.startswith("encoder/stack/")]
    assert stack == ["encoder/stack/conv_0", "encoder/stack/pool_0"]
    rows = task.training_loader.batch_size
    assert layers["encoder/stack/conv_0"].output == f"({rows}, 8, 8, 6)"
    assert layers["encoder/stack/pool_0"].output == f"({rows}, 4, 4, 6)"
    assert layers["embedding"].kind == "Embedding"
    stacked = task.model.encoder.picture_layers
    kernel = variables["params"]["encoder"]["stack"]["conv_0"]
    weights = ConvolutionWeights(kernel["kernel"], kernel["bias"]), None
    plain = jax.make_jaxpr(lambda x: run_by_layers(stacked, weights, x))(jnp.zeros((1, *task.form.shape)))
    assert layers["encoder/stack/conv_0"].multiply_adds == sum(multiply_adds(plain).values()) == 8 * 8 * 9 * 3 * 6


def test_sections_that_do_not_fit_and_artifacts_that_were_changed_are_told(task, folder):
    for message, fields in {
        r"model\.kind is 'rnn': a model that captions pictures is captioner": {"model": RNNConfig()},
        r"task\.kind is 'language_modeling': this task is captioning": {"task": LanguageModelingConfig()},
        r"data\.kind is 'corpus': captioning reads pictures, take captions or digit_scenes": {
            "data": CorpusConfig(source=str(folder))
        },
        r"data\.source is empty: give pictures": {"data": CaptionsConfig()},
        r"pictures of 8 x 8 x 3 are too small for the model": {
            "model": dataclasses.replace(MODEL, filters=(2, 2, 2, 2), poolings=4)
        },
    }.items():
        with pytest.raises(ConfigError if "kind" in message or "empty" in message else InputError, match=message):
            made(dataclasses.replace(task.experiment, **fields))
    with pytest.raises(InputError, match="are 8 x 8, and the model reads 9 x 8 x 3: give such"):
        made(task.experiment, artifacts=artifacts_for(task, height=9))
    for changes in (
        {"height": 0},
        {"width": 8.5},
        {"mean": [0.5]},
        {"mean": [0.5, 0.5, "1"]},
        {"deviation": [0.1, 0.1, 0.0]},
        {"deviation": [0.1, 0.1, float("nan")]},
        {"more": 1},
    ):
        with pytest.raises(InputError, match=r"pictures\.json must h"):
            Captioning.restore(task.experiment, artifacts_for(task, **changes))
    for name in ("tokenizer.json", "pictures.json"):
        with pytest.raises(InputError, match=f"{name} is no JSON"):
            Captioning.restore(task.experiment, {**task.artifacts(), name: b"["})
        with pytest.raises(InputError, match=f"there is no {name}"):
            Captioning.restore(task.experiment, {other: b"" for other in task.artifacts() if other != name})
    with pytest.raises(InputError, match="there is no held-out split: choose train or validation or test"):
        task.evaluations("held-out")
