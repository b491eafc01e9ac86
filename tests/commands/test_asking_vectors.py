"""`jaxseq nearest`, `analogy`, `score` and `project`: of a run and of files, and what they refuse."""

import json

import numpy as np
import pytest
from command_line import TINY, jaxseq, refused, snapshot

from jaxseq.runs.load import load_run

WORDS = ["--data.tokenizer", "word", "--data.max-words", "50", "--model.kind", "window_bag"]
VECTORS = "6 2\nman 1 0\nking 1 2\nwoman -1 0.1\nqueen -1 2\nzero 0 0\n가 0.5 0.5\n"
PAIRS = "# a remark\nman\tking\t7\nKing\tqueen\t6.5\nman\twoman\t1\nman\tboy\t9\n"
QUESTIONS = ": family\nman king woman queen\nman king boy queen\n: gram1\nMan Woman King Queen\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    (folder / "text.txt").write_text("the film is good and the play is not\n" * 60)
    short = ["--train.steps", "1", "--train.devices", "1"]
    outcome = jaxseq("train", "--name", "words", *TINY, *WORDS, *short, folder=folder)
    assert outcome.code == 0, outcome.err
    outcome = jaxseq("train", "--name", "counts", "--data.source", "text.txt", "--model.kind", "ngram", folder=folder)
    assert outcome.code == 0, outcome.err
    (folder / "vectors.txt").write_text(VECTORS)
    (folder / "mine.png").write_bytes(b"\x89PNG\r\n\x1a\n of a holiday")
    (folder / "pairs.tsv").write_text(PAIRS)
    (folder / "questions.txt").write_text(QUESTIONS)
    return folder


def said(*words, folder):
    code, out, err = jaxseq(*words, folder=folder)
    assert (code, err) == (0, "")
    return out


def test_the_words_nearest_to_one_are_listed(folder):
    out = said("nearest", "vectors.txt", "man", "--count", "2", folder=folder)
    assert out == "cosine among 6 words\n   0.7071  가\n   0.4472  king\n"
    out = said("nearest", "vectors.txt", "man", "--count", "1", "--by", "manhattan", folder=folder)
    assert out == "manhattan distance among 6 words\n   1.0000  zero\n"
    tree = json.loads(said("nearest", "vectors.txt", "man", "--json", folder=folder))
    assert [found["word"] for found in tree["nearest"]] == ["가", "king", "zero", "queen", "woman"]
    assert (tree["vocabulary"], tree["unknown"]) == (6, [])


def test_an_unknown_word_of_several_is_told_and_has_no_part(folder):
    code, out, err = jaxseq("nearest", "vectors.txt", "man", "boy", "--count", "1", folder=folder)
    assert (code, err) == (0, "'boy' is unknown and has no part in it\n")
    assert out == "cosine among 6 words\n   0.7071  가\n"


def test_of_a_word_that_a_file_has_twice_the_first_vector_counts_and_this_is_told(folder, tmp_path):
    (tmp_path / "twice.txt").write_text("a 1 0\nb 1 1\na 0 1\n")
    code, out, err = jaxseq("nearest", str(tmp_path / "twice.txt"), "a", folder=folder)
    assert (code, out) == (0, "cosine among 2 words\n   0.7071  b\n")
    assert err.endswith("twice.txt: 1 record is of a word that was there before, whose first vector counts\n")
    assert err.count("\n") == 1


def test_a_run_answers_as_the_file_that_is_exported_of_it(folder, tmp_path):
    """And asking it changes nothing (gensim#2014)."""
    file = str(tmp_path / "a.npz")
    before = snapshot(folder)
    said("export", "runs/words", file, folder=folder)
    for command in (["nearest", "film"], ["analogy", "film", "good", "play"], ["score", "pairs.tsv", "questions.txt"]):
        name, *words = command
        of_run = said(name, "runs/words", *words, folder=folder)
        assert of_run == said(name, file, *words, folder=folder)
    assert snapshot(folder) == before
    run = load_run(folder / "runs/words")
    table = np.asarray(run.params["embedding"], float)
    symbols = run.task.tokenizer.vocabulary.symbols
    units = table / np.linalg.norm(table, axis=1, keepdims=True)
    cosines = dict(zip(symbols, units @ units[symbols.index("film")], strict=True))
    tree = json.loads(said("nearest", "runs/words", "film", "--json", folder=folder))
    for found in tree["nearest"]:
        assert found["value"] == pytest.approx(cosines[found["word"]], abs=1e-5)


def test_an_analogy_is_completed(folder):
    out = said("analogy", "vectors.txt", "man", "king", "woman", "--count", "1", folder=folder)
    assert out.startswith("king is to man as to woman: cosine among 6 words\n")
    assert out.endswith("  queen\n")
    tree = json.loads(said("analogy", "vectors.txt", "man", "king", "woman", "--json", folder=folder))
    assert (tree["answers"][0]["word"], tree["vocabulary"], len(tree["answers"])) == ("queen", 6, 3)


def test_scores_say_of_how_much_they_are_and_among_which_words(folder):
    out = said("score", "vectors.txt", "pairs.tsv", "questions.txt", folder=folder)
    assert out.split("\n") == [
        "6 words, vectors of 2 numbers",
        "",
        "pairs.tsv, among all 6 words",
        "  0.5000 Spearman   3 of 4 pairs",
        "",
        "questions.txt, among all 6 words",
        " 100.00%       1 of      2 questions  family",
        " 100.00%       1 of      1 questions  gram1",
        " 100.00%       1 of      2 questions  semantic",
        " 100.00%       1 of      1 questions  syntactic",
        " 100.00%       2 of      3 questions  total",
        "",
    ]


def test_the_cut_is_said_and_can_be_set(folder):
    """gensim#1037."""
    out = said("score", "vectors.txt", "pairs.tsv", "questions.txt", "--most-frequent", "3", folder=folder)
    assert "pairs.tsv, among the 3 most frequent of 6 words (--most-frequent)\n" in out
    assert "2 of 4 pairs" in out
    assert "       -       0 of      3 questions  total" in out
    tree = json.loads(said("score", "vectors.txt", "questions.txt", "pairs.tsv", "--json", folder=folder))
    assert [score["vocabulary"] for score in tree["scores"]] == [6, 6]
    assert tree["scores"][0]["totals"][-1] == {"name": "total", "right": 2, "answered": 2, "asked": 3, "accuracy": 1.0}
    assert tree["scores"][1]["spearman"] == pytest.approx(0.5)
    with (folder / "many.txt").open("w") as file:
        file.write("".join(f"w{i} {i % 7} 1\n" for i in range(30_001)) + VECTORS.split("\n", 1)[1])
    out = said("score", "many.txt", "pairs.tsv", "questions.txt", folder=folder)
    assert "pairs.tsv, among all 30,007 words\n" in out
    assert "questions.txt, among the 30,000 most frequent of 30,007 words (--most-frequent)\n" in out
    out = said("score", "many.txt", "questions.txt", "--most-frequent", "0", folder=folder)
    assert "questions.txt, among all 30,007 words\n" in out


def test_words_are_drawn_and_written_for_tensorboard(folder, tmp_path):
    picture, projector = str(tmp_path / "a.png"), str(tmp_path / "b")
    words = ["man", "queen", "--neighbours", "1", "--picture", picture, "--projector", projector]
    out = said("project", "vectors.txt", *words, folder=folder)
    assert out == f"4 words are in {picture}\n4 words are in {projector}\n"
    assert (tmp_path / "b/metadata.tsv").read_text(encoding="utf-8").split() == ["man", "queen", "가", "king"]
    assert "is there already" in refused("project", "vectors.txt", "--projector", projector, folder=folder)
    out = said("project", "runs/words", "--picture", picture, "--method", "tsne", folder=folder)
    assert out.endswith(f" words are in {picture}\n")
    out = said("project", "vectors.txt", "--projector", str(tmp_path / "c"), folder=folder)
    assert out.startswith("6 words")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("nearest vectors.txt", "there is nothing to ask for: give a word"),
        ("nearest vectors.txt ''", "a word is empty"),
        ("nearest vectors.txt man --count 0", "--count is 0: give a number from 1"),
        ("nearest vectors.txt kign", "'kign' is none of the 6 words of vectors.txt: did you mean 'king'?"),
        ("nearest vectors.txt MAN", "did you mean 'man'?"),
        ("nearest vectors.txt zero", "the vector of zero in vectors.txt is zero, and near to nothing"),
        ("nearest text.txt man", "text.txt is no file of word vectors"),
        ("nearest none.txt man", "none.txt cannot be read (No such file or directory)"),
        ("nearest . man", ". holds no trained model"),
        ("nearest runs/counts the", "the model in runs/counts has learned no vectors, but .arpa: give another run"),
        ("nearest runs/words filn", "words of runs/words: did you mean 'film'?"),
        ("analogy vectors.txt man king", "Missing from jaxseq analogy: THIRD"),
        ("analogy vectors.txt man king ''", "a word is empty"),
        ("analogy vectors.txt man king wman", "'wman' is none of the 6 words of vectors.txt: did you mean"),
        ("analogy vectors.txt man king woman --count 0", "--count is 0"),
        ("score vectors.txt", "there is nothing to score by: give files of pairs or analogies"),
        ("score vectors.txt none.tsv", "none.tsv cannot be read"),
        ("score vectors.txt text.txt", "text.txt"),
        ("score vectors.txt pairs.tsv --most-frequent -1", "--most-frequent is -1: give a number from 0"),
        ("score pairs.tsv pairs.tsv", "pairs.tsv"),
        ("project vectors.txt", "there is nothing to write: give --picture FILE, or --projector DIR"),
        ("project vectors.txt --picture a.svg", "--picture is a.svg: a picture is a .png file"),
        ("project vectors.txt --picture a.png --most-frequent 0", "--most-frequent is 0: give a number from 1"),
        ("project vectors.txt boy --picture a.png", "'boy' is none of the 6 words of vectors.txt"),
        ("project vectors.txt '' --picture a.png", "a word is empty"),
        ("project vectors.txt man --picture mine.png", "mine.png is there and is none that jaxseq project drew"),
        ("project vectors.txt man --picture none/a.png", "cannot write none/a.png"),
        ("project vectors.txt man --projector none/a", "cannot write none/a"),
        ("project vectors.txt man --picture a.png --method tsne", "t-SNE needs 4 words or more, there are 1"),
    ],
)
def test_what_cannot_be_is_one_line(folder, words, told):
    typed = [word.replace("''", "") for word in words.split()]
    assert told in refused(*typed, folder=folder)
