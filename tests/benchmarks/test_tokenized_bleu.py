"""The command that measures BLEU on tokenized text."""

import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

from benchmarks import tokenized_bleu

REFERENCES = ["Ein Hund, der rennt.", "Zwei Männer spielen Fußball."]
MADE = ["ein hund , der rennt .", "Zwei Männer spielen Tennis."]


@pytest.fixture
def moses(monkeypatch):
    """A module sacremoses whose tokenizer parts words and marks, and what it was asked."""
    asked = []

    def tokenizer(*, lang):
        def tokenize(text, **options):
            asked.append((lang, options))
            return " ".join(re.findall(r"\w+|[^\w\s]", text))

        return SimpleNamespace(tokenize=tokenize)

    module = ModuleType("sacremoses")
    monkeypatch.setattr(module, "MosesTokenizer", tokenizer, raising=False)
    monkeypatch.setitem(sys.modules, "sacremoses", module)
    return asked


def test_texts_are_lower_cased_and_marks_left_as_they_are(moses):
    assert tokenized_bleu.moses(REFERENCES[:1], "de") == ["ein hund , der rennt ."]
    assert moses == [("de", {"return_str": True, "escape": False})]


def test_both_figures_of_a_run_are_printed(monkeypatch, capsys, tmp_path, moses):
    source, target = tmp_path / "test.en", tmp_path / "test.de"
    source.write_text("A dog that runs.\nTwo men play football.\n")
    target.write_text("\n".join(REFERENCES), encoding="utf-8")

    def translate_run(run, texts):
        assert (run.name, texts[1]) == ("translator", "Two men play football.")
        return [SimpleNamespace(hypotheses=[SimpleNamespace(text=text)]) for text in MADE]

    monkeypatch.setattr(tokenized_bleu, "translate_run", translate_run)
    monkeypatch.setattr("sys.argv", ["tokenized_bleu", "translator", str(source), str(target)])
    assert tokenized_bleu.main() == 0
    tokenized, standard = capsys.readouterr().out.splitlines()
    # Of 11 tokens 10 are right, of 9 pairs 7, of 7 triples 5, of 5 fours 3: the geometric mean.
    assert tokenized.startswith(f"BLEU {100 * (10 / 11 * 7 / 9 * 5 / 7 * 3 / 5) ** 0.25:.2f} (")
    assert "tok:13a" in standard
    assert "case:lc" in standard


def test_what_is_missing_is_told_in_one_line_before_anything_is_translated(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_text("a\n")
    for target, message in (("a.de", "pip install 'jaxseq[bench]'"), ("b.de", "b.de")):
        monkeypatch.setattr("sys.argv", ["tokenized_bleu", "nothing", f"{tmp_path}/a.en", f"{tmp_path}/{target}"])
        assert tokenized_bleu.main() == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
