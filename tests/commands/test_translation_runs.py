"""Runs of translation by the commands: they go on exactly, are measured file by file, and translate."""

import json
from importlib.util import find_spec

import pytest
from command_line import jaxseq, refused
from pulled_plug import assert_goes_on_exactly
from small_translators import WORDS, translated_sentences, write_sides

from jaxseq.data.pair_batches import PairLoader
from jaxseq.reporting.attention_pictures import is_attention_picture
from jaxseq.runs import load_run

PAIRS = [
    *("--task.kind", "translation", "--data.kind", "pairs", "--data.source", "train.de", "--data.target", "train.en"),
    *("--data.validation-source", "val.de", "--data.validation-target", "val.en", "--data.split", "1", "0", "0"),
    *("--data.test-source", "test_*.de", "--data.test-target", "test_*.en", "--data.batch-size", "8"),
    *("--data.lengths", "1", "--task.longest", "8", "--task.beam", "2", "--task.validation-beam", "2"),
    *("--task.examples", "1", "--train.steps", "16", "--train.evaluate-every", "8", "--train.metric", "bleu"),
]
SMALL = ["--model.features", "8", "--model.dropout", "0.1"]
TRANSFORMER = ["--model.kind", "seq2seq_transformer", "--model.layers", "1", "--model.heads", "2", *SMALL]
WHOLE = [*PAIRS, *TRANSFORMER, "--optimizer.learning-rate", "0.02"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where commands are typed: sentences in files, and a finished run runs/whole."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, count in {"train": 60, "val": 8, "test_2016": 5, "test_2017": 7}.items():
        write_sides(folder, name, count, seed=count)
    outcome = jaxseq("train", *WHOLE, "--name", "whole", "--train.devices", "2", folder=folder)
    assert outcome.code == 0, outcome.err
    assert "60 train, 8 validation, 12 test pairs, vocabularies 11 and 11" in outcome.out
    assert "test_2016\n  BLEU " in outcome.out
    assert "test_2017\n  BLEU " in outcome.out
    assert "jaxseq translate runs/whole " in outcome.out
    return folder


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(folder):
    words = [*WHOLE, "--train.devices", "2", "--task.examples", "0"]
    assert_goes_on_exactly(words, loader=PairLoader, whole="whole", folder=folder)
    one, other = (
        {line for line in (folder / "runs" / name / "metrics.csv").read_text().splitlines() if "validation" in line}
        for name in ("whole", "parts")
    )
    assert one == other
    assert len(one) == 2


def test_the_validation_metric_that_was_asked_for_selects_the_checkpoint(folder):
    lines = [line.split(",") for line in (folder / "runs/whole/metrics.csv").read_text().splitlines()]
    step, split, bleu = map(lines[0].index, ("step", "split", "bleu"))
    measured = {int(line[step]): float(line[bleu]) for line in lines[1:] if line[split] == "validation"}
    assert load_run(folder / "runs/whole").step == max(measured, key=measured.get)


def test_each_file_of_a_test_split_has_its_scores(folder):
    code, out, err = jaxseq("evaluate", "runs/whole", "--split", "test", "--json", folder=folder)
    assert (code, err) == (0, "")
    measured = json.loads(out)
    assert list(measured) == ["test_2016", "test_2017"]
    for name, count in {"test_2016": 5, "test_2017": 7}.items():
        words = sum(len(target.split()) + 1 for _, target in translated_sentences(count, seed=count))
        assert measured[name]["tokens"] == words
        assert {"loss", "accuracy", "bleu", "chrf", "exact"} <= set(measured[name])
    table = jaxseq("evaluate", "runs/whole", "--split", "test", folder=folder).out
    assert "test_2017, beam 2" in table


def test_sentences_are_translated_as_by_the_run_in_a_script(folder):
    words = ("runs/whole", "--file", "test_2016.de", "--n-best", "2", "--json")
    code, out, err = jaxseq("translate", *words, folder=folder)
    assert (code, err) == (0, "")
    told = [json.loads(line) for line in out.splitlines()]
    run = load_run(folder / "runs/whole")
    sources = [source for source, _ in translated_sentences(5, seed=5)]
    best = [made.hypotheses[0].text for made in run.task.translate(run.variables, sources)]
    assert [each["text"] for each in told] == sources
    assert [each["hypotheses"][0]["text"] for each in told] == best
    assert {word for text in best for word in text.split()} <= {*WORDS.values()}
    plain = jaxseq("translate", *words[:-1], "--plain", folder=folder).out.splitlines()
    assert plain[::2] == best
    lines = jaxseq("translate", "runs/whole", "der hund", "", "katze", "--plain", folder=folder)
    assert lines.out.count("\n") == 3
    assert lines.out.splitlines()[1] == ""
    assert lines.err == "text 3 has unknown words: katze\n"


def test_a_picture_of_attention_and_a_report_come_out(folder):
    assert jaxseq("translate", "runs/whole", "der hund", "--attention", "out.png", folder=folder).code == 0
    for path in ("out.png", "runs/whole/attention.png"):
        assert is_attention_picture((folder / path).read_bytes()[:1000])
    report = (folder / "runs/whole/translations.txt").read_text(encoding="utf-8")
    assert report.count("BLEU") == 2
    assert report.count("\nsource ") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--beam 0", "beam is 0: give 1 or more"),
        ("--n-best 3", "the 3 best of a beam of 2 hypotheses cannot be given"),
        ("--beam 3 --n-best 4", "n-best is 4, above the beam of 3"),
        ("--prefix cat", "the prefix has 'cat', which the vocabulary does not know: take other words"),
        ("--max-length 1 --prefix", "prefix"),
    ],
)
def test_a_translation_that_cannot_be_is_one_line(folder, words, told):
    words = [*words.split(), *(["a dog"] if words.endswith("prefix") else [])]
    assert told in refused("translate", "runs/whole", "der hund", *words, folder=folder)


@pytest.mark.skipif(not find_spec("safetensors") or not find_spec("flatbuffers"), reason="exporting needs both")
@pytest.mark.usefixtures("unchecked")
def test_what_it_has_learned_is_exported_to_a_folder_alone(folder):
    assert "has learned nothing that goes into a .npz file: export it to a folder, a/" in refused(
        "export", "runs/whole", "a.npz", folder=folder
    )
    code, out, err = jaxseq("export", "runs/whole", "out", folder=folder)
    assert (code, err) == (0, "")
    assert out.endswith("arrays of weights and the functions start, step are in out\n")


@pytest.fixture
def odd(tmp_path):
    """Files that do not go together."""
    write_sides(tmp_path, "train", 12)
    for name, content in {
        "short.en": "a dog\n" * 11,
        "blank.en": " \n" * 12,
        "a.txt": "the dog runs\n" * 40,
        "labels.tsv": "text\tlabel\n" + "a dog\tyes\na man\tno\n" * 9,
    }.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


SIDES = "--task.kind translation --data.kind pairs --data.source train.de --data.split 1 0 0 --data.batch-size 4"
OTHER = f"{' '.join(TRANSFORMER)} --train.steps 2"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"{SIDES} --data.target short.en {OTHER}", "train.de has 12 lines and short.en has 11"),
        (f"{SIDES} --data.target blank.en {OTHER}", "train.de and blank.en have no pair of two sentences"),
        (f"{SIDES} --data.target nowhere.en {OTHER}", "nowhere.en"),
        (f"{SIDES} --data.target train.en --model.kind rnn", "model.kind is 'rnn': a model that goes on from a source"),
        (f"{SIDES} --data.target train.en {OTHER} --task.beam 0", "task.beam is 0: give a number from 1"),
        (f"{SIDES} --data.target train.en {OTHER} --train.metric f1", "train.metric is 'f1'"),
        (f"--task.kind translation --data.source a.txt {OTHER}", "data.kind is 'corpus': translation reads pairs"),
        ("--data.kind pairs --data.source train.de --data.target train.en", "data.kind is 'pairs'"),
        (f"--data.source a.txt {OTHER}", "model.kind is 'seq2seq_transformer'"),
        (
            f"--task.kind classification --data.kind labelled --data.source labels.tsv {OTHER}",
            "model.kind is 'seq2seq_transformer'",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line(odd, words, told):
    assert told in refused("train", *words.split(), folder=odd)
