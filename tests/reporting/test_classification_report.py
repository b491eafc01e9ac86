"""What is shown of a classifier: every number of it, and nothing that harms, whatever classes are called."""

import io

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.image import imread

from jaxseq.metrics.classification import classified
from jaxseq.reporting.classification import SHOWCASE_FILES, report, showcase
from jaxseq.reporting.classification_pictures import calibration_picture, confusion_picture
from jaxseq.reporting.pictures import is_picture, lettering_for


def found_of(n, c, *, seed=0):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, c, n)
    weights = np.exp(draw.normal(size=(n, c)) + 2 * np.eye(c)[labels])
    return classified(labels, weights / weights.sum(axis=1, keepdims=True), mistakes=3)


def cells_of(monkeypatch, matrix, names):
    """What is written into the cells, by (row, column)."""
    written = {}
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **_: written.update({(y, x): text}))
    confusion_picture(matrix, names)
    return written


HOSTILE = ["$x_{ in $ and \\frac", "two\nlines\x1b[2J", "한국어", "not \udcff UTF-8", "", "W" * 4000]


@pytest.mark.parametrize(
    "names", [["no", "yes"], HOSTILE, [f"class {i}" for i in range(10)], [f"topic {i}" for i in range(40)]]
)
def test_pictures_are_drawn_of_any_number_of_classes_by_any_name(names):
    found = found_of(300, len(names))
    confusion = confusion_picture(found.matrix, names, title=HOSTILE[1])  # warnings are errors here
    calibration = calibration_picture(found.reliability, title=HOSTILE[1])
    for png in (confusion, calibration):
        assert is_picture(png[:1000])
        assert max(imread(io.BytesIO(png)).shape) < 1600


def test_the_picture_of_a_few_classes_has_every_count_with_its_share_of_the_true_class(monkeypatch):
    matrix = np.array([[30, 10], [0, 1200]])
    assert cells_of(monkeypatch, matrix, ["a", "b"]) == {
        (0, 0): "30\n75.0%",
        (0, 1): "10\n25.0%",
        (1, 0): "0\n0.0%",
        (1, 1): "1,200\n100.0%",
    }
    assert cells_of(monkeypatch, np.array([[0, 0], [1, 1]]), ["a", "b"])[0, 0] == "0"
    assert cells_of(monkeypatch, np.eye(15, dtype=int), list("abcdefghijklmno"))[3, 3] == "1"
    assert cells_of(monkeypatch, np.eye(21, dtype=int), list("abcdefghijklmnopqrstu")) == {}


def test_a_class_without_texts_and_a_bin_without_any_are_drawn():
    matrix = np.array([[0, 0, 0], [1, 5, 0], [0, 0, 2]])
    assert is_picture(confusion_picture(matrix, ["a", "b", "c"])[:1000])
    assert is_picture(calibration_picture(classified([0], np.array([[1.0, 0.0]])).reliability)[:1000])


def test_the_same_is_drawn_the_same():
    found = found_of(50, 3)
    one, other = (confusion_picture(found.matrix, ["a", "b", "c"], title="x") for _ in range(2))
    assert one == other


def test_names_have_escapes_for_what_no_font_has_and_are_cut_with_dots(monkeypatch):
    fonts = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    letters = lettering_for("긍정ab")
    assert letters.file is None
    assert letters.shown("긍정a") == r"\uae0d\uc815a"
    assert letters.shown("긍정ab", most=10) == r"\uae0d..."
    assert letters.shown("abababababab", most=10) == "abababa..."
    assert letters.shown("ababababab", most=10) == "ababababab"


TEXTS = ["a good film", "bad\x1b[31m\n film", "so so", "한국 " * 200]


def reported(**options):
    probabilities = np.array([[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    found = classified([1, 0, 0, 1], probabilities)
    return report(found, names=["부정", "pos\nitive"], texts=TEXTS, split="test split", **options)


def test_the_report_has_every_figure():
    text = reported(lengths="1 of 5 texts truncated to 64 tokens", trained="none of 9 truncated")
    assert SHOWCASE_FILES["report.txt"](text.encode())
    lines = [line.split() for line in text.splitlines()]
    assert text.startswith("classification of the test split: 4 texts\n")
    assert ["accuracy", "50.00%"] in lines
    assert ["F1", "0.5000", "of", r"pos\nitive"] in lines
    loss = -np.log([0.9, 0.2, 0.6, 0.3]).mean()
    assert ["log", "loss", f"{loss:.4f}", "nats", "per", "text"] in lines
    # Bins of 1/15: 0.6 and 0.7, 0.8, 0.9 lie alone.
    gap = (0.4 + 0.7 + 0.8 + 0.1) / 4
    assert ["calibration", "error", f"{gap:.2%}", "expected,", "15", "bins"] in lines
    assert "  lengths            1 of 5 texts truncated to 64 tokens\n" in text
    assert ["2", "50.00%", "50.00%", "0.5000", "부정"] in lines
    assert ["0", "부정", "1", "1"] in lines
    assert ["53%", "to", "60%", "1", "60.00%", "100.00%"] in lines
    assert "  trained on         none of 9 truncated\n" in text
    assert "lengths" not in reported()
    assert "trained on" not in reported()


def test_the_surest_mistakes_are_shown_each_on_a_line_that_harms_no_terminal():
    text = reported()
    mistakes = text[text.index("the mistakes of which it was surest") :].splitlines()[1:]
    assert mistakes[:2] == [r"  80.00% pos\nitive, in truth 부정:", r"    bad\x1b[31m film"]
    assert mistakes[2] == r"  70.00% 부정, in truth pos\nitive:"
    assert mistakes[3].strip() == ("한국 " * 200)[:97] + "..."
    assert len(mistakes) == 4
    assert all(char.isprintable() or char == "\n" for char in text)


def test_of_more_classes_the_f1_is_a_mean_and_names_are_cut():
    found = found_of(40, 6)
    text = report(found, names=HOSTILE, texts=["x"] * 40, split="validation split")
    assert f"F1                 {found.f1:9.4f}  mean over the classes (macro)" in text
    assert max(map(len, text.splitlines())) < 120
    assert r"not \udcff UTF-8" in text
    text.encode()


def test_without_mistakes_there_is_no_list_of_them():
    text = report(classified([0, 1], np.eye(2)), names=["a", "b"], texts=["", ""], split="test split")
    assert "mistakes" not in text
    assert "accuracy             100.00%" in text


def test_a_run_ends_with_a_report_and_two_pictures():
    found = found_of(30, 2)
    files = showcase(found, names=["no", "yes"], texts=["x"] * 30, split="validation split")
    assert sorted(files) == ["calibration.png", "confusion.png", "report.txt"]
    assert all(SHOWCASE_FILES[name](content[:1000]) for name, content in files.items())
    assert not any(is_ours(b"a report of somebody") for is_ours in SHOWCASE_FILES.values())
