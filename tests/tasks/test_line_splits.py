"""Lines as a language model's data, from files to evaluations and samples."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxseq.config import CorpusConfig, ExperimentConfig, LanguageModelingConfig, LinesConfig, RNNConfig, TrainConfig
from jaxseq.errors import InputError, UnknownSymbolError
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.tasks import LanguageModeling, Workspace
from jaxseq.tasks.language.line_splits import LineSplits
from jaxseq.text import LineTokenizer

TEXT = "SPEAKER:\nto be or\n\nnot to be , that\nis it\n" * 4


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    return ExperimentConfig(
        task=LanguageModelingConfig(sample_length=6, prompt="to"),
        data=LinesConfig(
            source=str(tmp_path / "a.txt"),
            tokenizer="word",
            splitter="whitespace",
            headings=False,
            max_words=6,
            split=(0.5, 0.25, 0.25),
            length=5,
            batch_size=2,
        ),
        model=RNNConfig(features=4, embedding=3),
        train=TrainConfig(devices=1),
    )


def made(experiment) -> LanguageModeling:
    return LanguageModeling.create(experiment, Workspace())


def with_data(experiment, **fields):
    return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, **fields))


def test_lines_are_read_from_start_to_end_without_headings_and_empty_ones(experiment):
    task = made(experiment)
    assert isinstance(task.tokenizer, LineTokenizer)
    names = ("<pad>", "<unk>", "to", "be", "or", "not", ",", "that", "<start>", "<end>")
    assert task.tokenizer.vocabulary.symbols == names
    assert isinstance(task.texts, LineSplits)
    counts = {name: len(part.lengths) for name, part in task.texts.lines.items()}
    assert counts == {"train": 6, "validation": 3, "test": 3}
    batch = task.loader("validation", train=False)(0)
    assert batch.inputs.tolist() == [[8, 2, 3, 4, 0], [8, 5, 2, 3, 6]]
    assert batch.targets.tolist() == [[2, 3, 4, 9, 0], [5, 2, 3, 6, 7]]
    assert task.overview().startswith("12 lines, 64 tokens, vocabulary 10, 3 batches of 2 x 5 an epoch")


def test_the_task_is_restored_from_its_artifacts_alone(experiment):
    task = made(experiment)
    restored = LanguageModeling.restore(experiment, task.artifacts())
    assert restored == task
    assert restored.splits() == ["train", "validation", "test"]
    again = LanguageModeling.create(experiment, Workspace(artifacts=task.artifacts()))
    assert again.fingerprint() == task.fingerprint()
    assert again.has_fingerprint(task.fingerprint())


def test_the_fingerprint_changes_with_the_lines_and_where_they_end(experiment, tmp_path):
    before = made(experiment)
    for text in (TEXT.replace("that", "it be", 1), TEXT.replace("or\n\n", "or ", 1)):
        (tmp_path / "a.txt").write_text(text)
        again = LanguageModeling.create(experiment, Workspace(artifacts=before.artifacts()))
        assert not again.has_fingerprint(before.fingerprint())


@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_an_evaluation_is_that_of_each_line_alone(experiment, layout):
    task = made(with_data(experiment, layout=layout, length=9))
    variables = task.init(jax.random.key(0))
    lines = np.split(task.texts.lines["test"].ids, task.texts.lines["test"].offsets[1:-1])
    total, count, apply = 0.0, 0.0, jax.jit(task.model.apply)
    for line in lines:
        logits, _ = apply(variables, line[None, :-1])
        losses = -np.take_along_axis(np.asarray(jax.nn.log_softmax(logits))[0], line[1:, None], 1)
        total, count = total + float(losses.sum()), count + len(losses)
    (evaluation,) = task.evaluations("test").values()
    metrics = SplitEvaluator(evaluation, devices=1)(variables)
    if layout == "padded":
        assert metrics["loss"] == pytest.approx(total / count, rel=1e-5)
        assert metrics["loss_with_padding"] == pytest.approx(total / (len(lines) * 9), rel=1e-5)
    else:  # the end of a row cuts a line, the rest of which is read from the initial carry
        assert metrics["tokens"] == count
        assert "loss_with_padding" not in metrics
    # Characters and words of the test lines with unknown words as one character each, their ends included.
    text = "".join(task.tokenizer.decode(line) for line in lines)
    assert text == "to be or\nnot to be , that\n� �\n"
    bits = metrics["bits_per_token"] * count / len(text)
    assert metrics["bits_per_character"] == pytest.approx(bits, rel=1e-6)
    words = metrics["loss"] * count / (len(text.split()) + 3)
    assert metrics["perplexity_per_word"] == pytest.approx(np.exp(words), rel=1e-6)


def test_a_run_ends_with_lines_none_of_which_has_what_stands_for_no_text(experiment):
    task = made(experiment)
    text = task.showcase(task.init(jax.random.key(0)), jax.random.key(1), step=3).files["samples.txt"].decode()
    first, blank, *lines = text.removesuffix("\n").split("\n")
    assert first == "step 3, temperature 0.8"
    assert blank == ""
    assert len(lines) == 8
    assert all(line.split(" ")[0] == "to" and len(line.split(" ")) <= 7 for line in lines)
    assert set(" ".join(lines).split(" ")) <= {"�", "to", "be", "or", "not", ",", "that"}
    assert task.stop == ("\n",)
    assert task.forbidden == (0, 8)


def test_characters_make_lines_too(experiment):
    task = made(with_data(experiment, tokenizer="char", max_words=0, splitter="lines", length=20))
    assert task.tokenizer.decode(task.loader("test", train=False)(0).targets[0][:9]) == "to be or\n"


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("\n \n", {}, "has no line to read: give --data.source"),
        ("A:\nB:\n", {}, "has no line to read"),
        ("one\ntwo\n", {"split": (0.9, 0.05, 0.05)}, r"the validation split has no line, data\.split is"),
        (TEXT, {"batch_size": 50}, "a batch of 50 lines is more than the 6 there are"),
    ],
)
def test_texts_that_make_no_lines_are_told_in_one_line(experiment, tmp_path, text, fields, message):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        made(with_data(experiment, **fields)).loader("train", train=True)
    assert "\n" not in str(caught.value)


def test_an_unknown_word_is_named_with_its_line(experiment, tmp_path):
    (tmp_path / "v.txt").write_text("to be\nor go\n")
    with pytest.raises(UnknownSymbolError, match=r"v\.txt, of the lines that are read line 2: 'go', word 2"):
        made(with_data(experiment, max_words=0, split=(1, 0, 0), validation_source=str(tmp_path / "v.txt")))


def test_the_last_token_of_a_window_and_the_tokenizer_of_a_corpus_are_refused(experiment):
    last = dataclasses.replace(experiment, task=LanguageModelingConfig(predict="last", prompt="to"))
    with pytest.raises(InputError, match=r"task\.predict is 'last': lines have no last token of a window"):
        made(last).validation()
    corpus = dataclasses.replace(experiment, data=CorpusConfig(source=experiment.data.source))
    with pytest.raises(InputError, match="the tokenizer is of running text, not of lines"):
        LanguageModeling.create(
            dataclasses.replace(experiment, task=LanguageModelingConfig()),
            Workspace(artifacts=made(dataclasses.replace(corpus, task=LanguageModelingConfig())).artifacts()),
        )
