"""The command that measures BLEU on tokenized text."""

import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

from benchmarks import tokenized_bleu
from jaxseq.errors import InputError

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


def test_tokens_are_compared_without_case_and_marks_are_left_as_they_are(moses):
    tokenized, _ = tokenized_bleu.both_scores(MADE[:1], REFERENCES[:1], "de")
    assert (tokenized.value, "tok:none" in tokenized.signature) == (pytest.approx(100), True)
    assert set(map(repr, moses)) == {repr(("de", {"return_str": True, "escape": False}))}


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


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(InputError, match=r"pip install 'jaxseq\[bench\]'"):
        tokenized_bleu.moses(["a"], "de")
