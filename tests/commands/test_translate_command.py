"""`jaxseq translate` as a person types it, of a run whose task turns texts around: that takes no learning."""

import dataclasses
import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import jaxseq, refused

from jaxseq.config import kinds
from jaxseq.errors import InputError
from jaxseq.reporting.attention_pictures import is_attention_picture
from jaxseq.runs.translation import translate_run
from jaxseq.tasks import task
from jaxseq.tasks.capabilities import Hypothesis, Translation, TranslationOptions

LINE = Path(__file__).parents[1] / "systems" / "line.py"
BEAM = 5


def backwards(line):
    """The task of line.py, which also translates: a word with a digit is unknown, only four words are read."""

    class Backwards(line):
        def translate(self, variables, texts, *, options=TranslationOptions(), poll=lambda: None):  # noqa: B008
            assert "slope" in variables["params"]
            if options.beam is None and options.sampling is None:
                options = dataclasses.replace(options, beam=BEAM)
            if any(char.isdigit() for char in options.prefix):
                raise InputError(f"the prefix has unknown words: {options.prefix}")
            for text in texts:
                poll()
                words = text.split()
                yield self._translation(text, words, options) if words else Translation(text, ())

        def _translation(self, text, words, options):
            read = words
            tokens = [*options.prefix.split(), *reversed(read)]
            mark = f"seed {options.seed} " if options.sampling else ""
            shown = options.attention and "blind" not in words
            attention = np.eye(len(tokens), len(read))[::-1] if shown else None
            hypotheses = [
                Hypothesis(mark + " ".join(tokens) + "!" * k, -k / 4, -k / 2, k == 0, tokens, attention)
                for k in range(min(options.n_best, 3))
            ]
            unknown = [word for word in read if any(char.isdigit() for char in word)]
            return Translation(text, hypotheses, unknown, read)

    return Backwards


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of line.py that does not translate, whose task is known while the tests of this file run."""
    folder = tmp_path_factory.mktemp("line")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "_KINDS", {section: dict(known) for section, known in kinds._KINDS.items()})
        patch.setattr(task, "_TASKS", dict(task._TASKS))
        shutil.copy(LINE, folder)
        (folder / "points.csv").write_text("".join(f"{x},{x}\n" for x in range(12)), encoding="utf-8")
        assert jaxseq("train", "line.py", "--train.steps", "2", folder=folder).code == 0
        yield folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """Where commands are typed: runs/line translates, and a file of texts lies beside it."""
    shutil.copytree(trained / "runs", tmp_path / "runs")
    monkeypatch.setitem(task._TASKS, "line", backwards(task._TASKS["line"]))
    (tmp_path / "texts.txt").write_text("ein Hund\n\n  \nrennt weg", encoding="utf-8")
    return tmp_path


def translated(folder, *words):
    code, out, err = jaxseq("translate", "runs/line", *words, folder=folder)
    assert (code, err) == (0, "")
    assert out.endswith("\n")
    return out.split("\n")[:-1]


def test_a_line_comes_out_for_every_text_and_empty_ones_stay(folder):
    assert translated(folder, "ein Hund", "rennt") == ["0.0000  Hund ein", "0.0000  rennt"]
    assert translated(folder, "--file", "texts.txt", "--plain") == ["Hund ein", "", "", "weg rennt"]


def test_standard_input_is_answered_as_a_file_is(folder, monkeypatch):
    content = (folder / "texts.txt").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert translated(folder, "--file", "-", "--plain") == ["Hund ein", "", "", "weg rennt"]


@pytest.mark.parametrize("n_best", [1, 2, 4])
def test_every_text_has_as_many_lines_however_many_hypotheses_there_are(folder, n_best):
    lines = translated(folder, "--file", "texts.txt", "--n-best", str(n_best), "--beam", "5")
    assert len(lines) == 4 * n_best
    expected = ["0.0000  Hund ein", "-0.2500  Hund ein!", "-0.5000  Hund ein!!", ""]
    assert lines[:n_best] == expected[:n_best]
    assert lines[n_best : 3 * n_best] == [""] * 2 * n_best


def test_a_prefix_begins_every_translation(folder):
    assert translated(folder, "ein Hund", "--prefix", "A dog", "--plain") == ["A dog Hund ein"]


def test_samples_follow_their_seed(folder):
    assert translated(folder, "ein Hund", "--sample", "--seed", "7", "--plain") == ["seed 7 Hund ein"]
    draws = {translated(folder, "ein", "--sample", "--plain")[0] for _ in range(2)}
    assert len(draws) == 2


def test_json_has_all_of_it(folder):
    code, out, err = jaxseq("translate", "runs/line", "a b2 c d", "", "--n-best", "2", "--json", folder=folder)
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {
            "text": "a b2 c d",
            "hypotheses": [
                {"text": "d c b2 a", "score": 0.0, "log_probability": 0.0, "certified": True},
                {"text": "d c b2 a!", "score": -0.25, "log_probability": -0.5, "certified": False},
            ],
            "unknown": ["b2"],
        },
        {"text": "", "hypotheses": [], "unknown": []},
    ]
    assert err == "text 1 has unknown words: b2\n"


def test_what_acts_on_a_terminal_is_shown(folder):
    assert translated(folder, "a\x1b[K b\u2028c", "--plain") == ["c b a\\x1b[K"]
    (line,) = translated(folder, "a\x1b[K", "--json")
    assert "\x1b" not in line
    assert json.loads(line)["hypotheses"][0]["text"] == "a\x1b[K"


def test_attention_is_drawn_in_the_place_of_an_earlier_picture_alone(folder):
    assert translated(folder, "ein Hund", "--attention", "out.png", "--plain") == ["Hund ein"]
    first = (folder / "out.png").read_bytes()
    assert is_attention_picture(first[:1000])
    translated(folder, "ein", "--attention", "out.png")
    assert (folder / "out.png").read_bytes() != first
    (folder / "out.png").write_bytes(b"mine")
    message = refused("translate", "runs/line", "ein", "--attention", "out.png", folder=folder)
    assert "out.png is there and is none that jaxseq translate drew" in message


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "neither a text nor --file is given"),
        (("ein", "--file", "texts.txt"), "both texts and --file are given"),
        (("ein", "--beam", "0"), "beam is 0: give 1 or more"),
        (("ein", "--n-best", "0"), "n-best is 0: give 1 or more"),
        (("ein", "--max-length", "0"), "max-length is 0: give 1 or more"),
        (("ein", "--beam", "2", "--n-best", "3"), "n-best is 3, above the beam of 2"),
        (("ein", "--n-best", "6"), "n-best is 6, above the beam of 5"),
        (("ein", "--prefix", "c3po"), "the prefix has unknown words: c3po"),
        (("ein", "--sample", "--beam", "2"), "a beam and sampling are given: choose one"),
        (("ein", "--temperature", "0.5"), "--temperature is 0.5, and nothing is drawn: give --sample"),
        (("ein", "--seed", "1"), "--seed is 1, and nothing is drawn"),
        (("ein", "--sample", "--seed", "-1"), "seed is -1"),
        (("ein", "--sample", "--temperature", "nan"), "temperature is nan"),
        (("ein", "--length-penalty", "nan"), "length-penalty is nan"),
        (("ein", "--coverage-penalty", "-1"), "coverage-penalty is -1.0"),
        (("ein", "--plain", "--json"), "both --plain and --json are given"),
        (("ein", "--attention", "out.jpg"), "--attention is out.jpg: a picture is a .png file"),
        (("ein", "Hund", "--attention", "out.png"), "--attention draws the words of one text"),
        (("--file", "texts.txt", "--attention", "out.png"), "--attention draws the words of one text"),
        ((" ", "--attention", "out.png"), "the text is empty"),
        (("blind", "--attention", "out.png"), "the model has no attention: leave --attention out"),
        (("--file", "nowhere.txt"), "nowhere.txt"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder, words, told):
    assert told in refused("translate", "runs/line", *words, folder=folder)


def test_a_run_that_translates_nothing_says_so(trained):
    message = refused("translate", "runs/line", "ein", folder=trained)
    assert "the model in runs/line translates nothing: use `jaxseq evaluate`" in message


def test_a_script_has_the_same(folder):
    (made,) = translate_run(folder / "runs" / "line", ["ein Hund"])
    assert [one.text for one in made.hypotheses] == ["Hund ein"]
