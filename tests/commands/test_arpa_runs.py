"""ARPA files as the start of a run: of our own runs, and of others as KenLM scores them."""

import json
import math
import os

import numpy as np
import pytest
from command_line import jaxseq, refused, snapshot

from jaxseq.runs.load import load_run

TEXT = "the film is good and the play is not\nthe play is a good play of the king\nis the king not good\n" * 30
SIZES = ["--data.length", "8", "--data.batch-size", "4", "--task.sample-length", "6"]
NGRAM = ["--model.kind", "ngram", "--model.order", "3", *SIZES, "--data.source", "text.txt"]
WORDS = ["--data.tokenizer", "word", "--data.splitter", "whitespace"]
KINDS = {
    "words": [*WORDS, "--data.max-words", "9"],
    "line_ends": ["--data.tokenizer", "word"],
    "characters": [],
    "lines": [*WORDS, "--data.kind", "lines"],
    "pieces": ["--data.tokenizer", "wordpiece", "--data.pieces", "60"],
}
OF_OTHERS = """\\data\\
ngram 1=6
ngram 2=6
ngram 3=2

\\1-grams:
-99\t<s>\t-0.3
-1.5\t</s>
-0.75\ta\t-0.25
-0.5\tb\t-0.125
-1.25\tc\u200bd\t0.0625
-2\t<unk>\t-0.1

\\2-grams:
-0.25\t<s> a\t-0.5
-0.375\ta b\t0.1
-1\tb c\u200bd
-0.125\tc\u200bd b\t-0.2
-0.7\tb </s>
-0.9\t<unk> a

\\3-grams:
-0.0625\t<s> a b
-0.3\tc\u200bd b </s>

\\end\\
"""
LINES = ["a b a c\u200bd", "c\u200bd b a b", "new a b c\u200bd b a", "b", "a other b", "b a a", "c\u200bd b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arpa")
    (folder / "text.txt").write_text(TEXT)
    for name, options in KINDS.items():
        trained(folder, name, *NGRAM, *options)
        assert jaxseq("export", f"runs/{name}", f"{name}.arpa", folder=folder).code == 0
    (folder / "others.arpa").write_text(OF_OTHERS, encoding="utf-8")
    (folder / "others.txt").write_text("\n" + "\n".join(LINES) + "\n", encoding="utf-8")
    return folder


def trained(folder, name, *words):
    outcome = jaxseq("train", "--name", name, *words, folder=folder)
    assert outcome.code == 0, outcome.err
    return outcome


def measured(folder, name, *words):
    code, out, err = jaxseq("evaluate", f"runs/{name}", "--json", *words, folder=folder)
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize(
    ("name", "words_of_the_file"),
    [*((name, False) for name in KINDS), ("words", True), ("line_ends", True), ("lines", True)],
)
def test_a_run_that_begins_with_what_another_was_exported_to_measures_the_same(folder, name, words_of_the_file):
    own = ["--data.tokenizer-file", f"{name}.arpa"] if words_of_the_file else []
    again = f"{name}_{'of_the_file' if words_of_the_file else 'again'}"
    outcome = trained(folder, again, *NGRAM, *KINDS[name], *own, "--model.arpa", f"{name}.arpa")
    assert "n-grams of 1 to 3 tokens: " in outcome.out
    for how, values in measured(folder, name).items():
        assert values == pytest.approx(measured(folder, again)[how], rel=1e-5)
    assert jaxseq("export", f"runs/{again}", f"{again}.arpa", folder=folder).code == 0
    one, other = (sorted((folder / f"{run}.arpa").read_text().splitlines()) for run in (name, again))
    assert one == other
    assert any("\t<unk>" in line for line in one) == (name in ("words", "pieces"))
    asked = ["--next", "3", "--json", "--prompt", "the play"]
    ours, theirs = (json.loads(jaxseq("sample", f"runs/{run}", *asked, folder=folder).out) for run in (name, again))
    assert [row["token"] for row in ours["next"]] == [row["token"] for row in theirs["next"]]
    if not words_of_the_file:  # the same ids, and so a run like others of the vocabulary
        values = json.loads(jaxseq("mix", f"runs/{name}", f"runs/{again}", "--json", folder=folder).out)
        assert values["alone"]["test"][0] == pytest.approx(values["alone"]["test"][1], rel=1e-5)


@pytest.mark.parametrize("kind", ["lines", "corpus"])
def test_a_file_of_others_measures_what_kenlm_says_of_it(folder, kind):
    """In running text a line's end is the end of a sentence, and what begins the next one."""
    kenlm = pytest.importorskip("kenlm", reason="pip install -e '.[kenlm]', which wants a C++ compiler")
    others = ["--data.source", "others.txt", "--data.split", "1", "0", "0", "--data.validation-source", "others.txt"]
    own = [*WORDS, "--data.kind", "lines"] if kind == "lines" else ["--data.tokenizer", "word"]
    own = [*NGRAM, *own, *others, "--data.tokenizer-file", "others.arpa", "--model.arpa", "others.arpa"]
    trained(folder, f"others_{kind}", *own, "--task.prompt", "a", "--data.batch-size", "2")
    values = measured(folder, f"others_{kind}")["lines" if kind == "lines" else "carried"]
    scores = [log for line in LINES for log, _, _ in kenlm.Model(str(folder / "others.arpa")).full_scores(line)]
    assert values["tokens"] == len(scores)
    assert values["loss"] == pytest.approx(-np.mean(scores) * math.log(10), abs=1e-5)
    tokenizer = load_run(folder / "runs" / f"others_{kind}").task.tokenizer
    assert ("\n" in tokenizer.vocabulary.symbols) == (kind == "corpus")
    assert tokenizer.encode("strange")[-1] == tokenizer.vocabulary.id_of("<unk>")
    code, out, err = jaxseq("sample", f"runs/others_{kind}", "--prompt", "a", "--seed", "1", folder=folder)
    assert (code, err) == (0, "")
    assert out.startswith("a")


def test_the_file_is_not_needed_afterwards(folder):
    os.link(folder / "words.arpa", folder / "gone.arpa")
    words = [*NGRAM, *KINDS["words"], "--model.arpa", "gone.arpa"]
    trained(folder, "left", *words)
    (folder / "gone.arpa").unlink()
    assert measured(folder, "left") == measured(folder, "words")
    before = snapshot(folder / "runs/left/checkpoints")
    trained(folder, "left", *words)
    assert snapshot(folder / "runs/left/checkpoints") == before


CUT = {
    "in the header": ("ngram 2=6", r", line 3: 'ngram' is not the number of 2-grams"),
    "in a section": ("-0.375\ta b", ", line 16: the file ends within one of the 2-grams: fetch the file again"),
    "between sections": ("\\3-grams:", r", line 22: the file ends where \3-grams: should stand: fetch the file again"),
    "before the end": ("\\end\\", r", line 26: the file ends where \end\ should stand: fetch the file again"),
}


@pytest.mark.parametrize("where", CUT)
def test_a_file_cut_short_is_one_line_and_a_run_that_is_there_stays(folder, where):
    at, told = CUT[where]
    cut = OF_OTHERS.index(at) + (len(at.split()[0]) if " " in at else 0)
    (folder / "cut.arpa").write_text(OF_OTHERS[:cut], encoding="utf-8")
    for name in ("new", "words"):
        line = refused(
            *("train", "--name", name, "--fresh", *NGRAM, *KINDS["lines"], "--data.tokenizer-file", "others.arpa"),
            *("--data.source", "others.txt", "--data.split", "1", "0", "0", "--task.prompt", "a"),
            *("--model.arpa", "cut.arpa"),
            folder=folder,
        )
        assert line.startswith(f"error: model.arpa cannot be used: cut.arpa{told}")


@pytest.mark.parametrize(
    ("kind", "words", "told"),
    [
        ("words", "--model.arpa none.arpa", "none.arpa cannot be read (No such file or directory): check the file"),
        ("words", "--model.arpa .", ". is no plain file, and it is read twice: give one"),
        ("words", "--model.arpa text.txt", "text.txt, line 1: an ARPA file begins with"),
        (
            "words",
            "--model.arpa words.arpa --model.order 4",
            "model.order is 4 and the longest n-grams of words.arpa are 3-grams: give --model.order 3",
        ),
        (
            "words",
            "--model.arpa words.arpa --data.max-words 4",
            "5 of the 12 words of words.arpa are none of the vocabulary, as '",
        ),
        (
            "words",
            "--model.arpa words.arpa --data.max-words 0",
            "words.arpa has no 1-gram for 1 of the 10 symbols of the vocabulary, as 'of': give --data.tokenizer-file "
            "words.arpa, which makes its words the vocabulary",
        ),
        (
            "characters",
            "--model.arpa words.arpa",
            "words of words.arpa are none of the vocabulary, as 'the': give the tokenizer that the file was made with "
            "as --data.tokenizer-file",
        ),
        (
            "words",
            "--model.arpa lines.arpa",
            "lines.arpa is of sentences, and no token of the text ends one: take --data.kind lines, or a tokenizer "
            "that reads line ends (--data.splitter lines)",
        ),
        (
            "lines",
            "--model.arpa words.arpa",
            "words.arpa gives </s> no probability, it is of running text: take --data.kind corpus",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_with_the_remedy(folder, kind, words, told):
    options = [*NGRAM, *KINDS[kind], *words.split()]
    line = refused("train", "--name", "x", *options, folder=folder)
    assert line.startswith("error: model.arpa cannot be used: ")
    assert told in line


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "x.arpa is empty: fetch it again"),
        (OF_OTHERS[:60], "the 1-grams end after 1 of the 6 that the start promises"),
        (OF_OTHERS.replace("-0.5\tb", "-0.5\ta"), "line 10: the word 'a' is in line 9 too: leave one out"),
    ],
)
def test_words_of_a_damaged_file_are_one_line(folder, content, told):
    (folder / "x.arpa").write_text(content)
    options = [*NGRAM, *KINDS["words"], "--data.tokenizer-file", "x.arpa"]
    line = refused("train", "--name", "x", *options, folder=folder)
    assert line.startswith("error: data.tokenizer_file x.arpa cannot be used: x.arpa")
    assert told in line
    (folder / "x.arpa").unlink()


def test_unknown_words_are_those_of_kenlm_where_a_text_has_a_word_that_is_called_so_too(folder, tmp_path):
    kenlm = pytest.importorskip("kenlm", reason="pip install -e '.[kenlm]', which wants a C++ compiler")
    (tmp_path / "text.txt").write_text(TEXT.replace("film", "<unk>"))
    trained(tmp_path, "both", *NGRAM, *KINDS["words"], "--data.max-words", "9")
    assert jaxseq("export", "runs/both", "both.arpa", folder=tmp_path).code == 0
    asked = ["--next", "99", "--json", "--prompt", "is the"]
    rows = json.loads(jaxseq("sample", "runs/both", *asked, folder=tmp_path).out)["next"]
    ours = {row["token"]: row["probability"] for row in rows}
    model = kenlm.Model(str(tmp_path / "both.arpa"))
    names = {"<<unk>>": "albatross", "<unk>": "<U+003C>unk>", "king": "king"}
    for ours_name, theirs in names.items():
        *_, (log, _, _) = model.full_scores(f"is the {theirs}", bos=False, eos=False)
        assert math.log10(ours[ours_name]) == pytest.approx(log, abs=1e-5)
    again = [*NGRAM, *KINDS["words"], "--data.max-words", "9", "--model.arpa", "both.arpa"]
    trained(tmp_path, "again", *again)
    assert measured(tmp_path, "again") == measured(tmp_path, "both")


def test_a_tokenizer_without_unknown_words_refuses_those_that_the_file_lacks(folder):
    (folder / "closed.lm").write_text(
        "\\data\\\nngram 1=3\n\n\\1-grams:\n-0.5\tthe\n-0.5\tfilm\n-0.5\tis\n\n\\end\\\n"
    )  # no <unk>, as SRILM writes it, and known by its first line
    options = [*NGRAM, *KINDS["words"], "--data.tokenizer-file", "closed.lm", "--model.arpa", "closed.lm"]
    line = refused("train", "--name", "x", *options, "--model.order", "1", folder=folder)
    assert "'good', word 4 of the text, is not among the 3 words of the vocabulary" in line
