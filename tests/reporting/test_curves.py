"""curves.png: drawn from any rows, in anybody's surroundings."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from jaxseq.metrics.metric import Metric
from jaxseq.reporting.curves import draw_curves
from jaxseq.reporting.pictures import set_title
from jaxseq.storage.metrics_file import MetricsFile

LOSS = Metric("loss", "nats per token")


@pytest.mark.parametrize("rows", [0, 1, 50])
def test_curves_are_drawn_from_any_number_of_rows(tmp_path, rows):
    file = MetricsFile(tmp_path / "metrics.csv", ["loss"])
    file.cut(-1)
    for i in range(1, rows + 1):
        file.append({"step": 10 * i, "epoch": i, "split": "train", "loss": 4 / i + 1})
        file.append({"step": 10 * i, "epoch": i, "split": "validation", "loss": 4 / i + 1.2})
    draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png", metric=LOSS, title="a run")
    assert imread(tmp_path / "curves.png").shape == (600, 960, 4)


HEADER = "step,epoch,split,loss,perplexity\n"
SOUND = "10,1,train,3.5,33\n10,1,validation,3.6,36\n20,2,train,3,20\n"


@pytest.mark.parametrize(
    "rows",
    [
        "30,3,train,nan,nan\n30,3,validation,inf,inf\n",
        "30,3,train,3.4e38,inf\n30,3,validation,-3.4e38,1\n",
        "30,3,train,1e300,inf\n30,3,validation,-1.7e308,1\n2147483647,9,validation,1e-320,1\n",
        "30,3,train,3x5,1\n99999999999999999999,3,train,1,1\n30\n,,,,\n30,3,train,,\n",
        "\0\xff\udcff\n" * 50 + "30,3,tr",
    ],
    ids=["not finite", "float32", "float64", "letters", "junk"],
)
@pytest.mark.parametrize("sound", ["", SOUND], ids=["alone", "among others"])
def test_curves_are_drawn_from_what_is_sound_without_a_warning(tmp_path, sound, rows):
    (tmp_path / "metrics.csv").write_bytes((HEADER + sound + rows).encode("utf-8", "surrogateescape"))
    draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png", metric=LOSS)
    assert imread(tmp_path / "curves.png").shape == (600, 960, 4)


def test_curves_without_a_file_or_a_column_of_losses_are_empty(tmp_path):
    draw_curves(tmp_path / "metrics.csv", tmp_path / "none.png", metric=LOSS)
    (tmp_path / "metrics.csv").write_text("step,epoch,split\n1,1,train\n")
    draw_curves(tmp_path / "metrics.csv", tmp_path / "empty.png", metric=LOSS)
    assert (tmp_path / "none.png").read_bytes() == (tmp_path / "empty.png").read_bytes()


def titled(title):
    """The text, as it is drawn, of a title set to `title`, its font, and whether it fits into the figure."""
    figure = Figure(figsize=(8, 5), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    set_title(axes, title)
    extent = axes.title.get_window_extent()
    return axes.title.get_text(), axes.title.get_fontname(), extent.x0 > 0 and extent.x1 < figure.bbox.x1


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("한국어", r"\ud55c\uad6d\uc5b4"),
        ("a 🦄", r"a \U0001f984"),
        ("$x_{ in $ and \\frac", "$x_{ in $ and \\frac"),
        ("one\nother\t\x1b[2J", r"one\nother\t\x1b[2J"),
        ("not \udcff UTF-8", r"not \udcff UTF-8"),
        ("Ünïcode, кириллица", "Ünïcode, кириллица"),
    ],
)
def test_a_title_is_plain_text_with_escapes_for_what_no_font_has(tmp_path, monkeypatch, title, shown):
    fonts = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans" or "Last" in font.name]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    assert titled(title) == (shown, "DejaVu Sans", True)
    (tmp_path / "metrics.csv").write_text(HEADER + SOUND)
    draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png", metric=LOSS, title=title)  # warnings are errors here


def test_a_title_is_set_in_an_installed_font_that_has_its_characters():
    if "STIXGeneral" not in {font.name for font in font_manager.fontManager.ttflist}:
        pytest.skip("needs the fonts that Matplotlib comes with")
    text, font, _ = titled("a mark \u20d2 above")  # which DejaVu Sans lacks
    assert text == "a mark \u20d2 above"
    assert font != "DejaVu Sans"


def test_fonts_that_are_gone_or_damaged_are_passed_over(tmp_path, monkeypatch):
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    entry = font_manager.FontEntry
    gone = [entry(str(tmp_path / name), "Gone", "normal", "normal", 400) for name in ("bad.ttf", "none.ttf")]
    usual = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", gone + usual)
    assert titled("가")[0] == r"\uac00"


@pytest.mark.parametrize("length", [150, 4000])
def test_a_long_title_is_made_to_fit(length):
    text, _, fits = titled("W" * length)
    assert fits
    assert len(text) == 120


def drawn_in(folder, **environment):
    """What drawing in a new process, whose working directory is `folder`, comes to."""
    (folder / "metrics.csv").write_text(HEADER + SOUND)
    code = (
        "import pathlib; from jaxseq.reporting.curves import draw_curves; from jaxseq.errors import InputError\n"
        "from jaxseq.metrics.metric import Metric\n"
        "try: draw_curves(pathlib.Path('metrics.csv'), pathlib.Path('curves.png'), metric=Metric('loss'))\n"
        "except InputError as error: print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    process = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, check=True)
    return process.stdout.decode(), folder / "curves.png"


def test_the_picture_is_the_same_whatever_somebody_has_set_for_others(tmp_path):
    plain, bent = tmp_path / "plain", tmp_path / "bent"
    plain.mkdir()
    bent.mkdir()
    (bent / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\nlines.color: red\nnonsense: 1\n")
    told, picture = drawn_in(plain)
    told_too, picture_too = drawn_in(bent, MPLBACKEND="nonsense")
    assert (told, told_too) == ("", "")
    assert picture.read_bytes() == picture_too.read_bytes()


def test_a_program_that_draws_too_keeps_its_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    with matplotlib.rc_context({"font.size": 30}):
        draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png", metric=LOSS)
        assert matplotlib.rcParams["font.size"] == 30
    assert os.environ["MPLBACKEND"] == "nonsense"


def test_a_matplotlib_that_does_not_start_is_one_line_with_a_remedy(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe no text")
    told, picture = drawn_in(tmp_path)
    assert told.startswith("curves.png cannot be drawn, for Matplotlib does not start ('utf-8' codec can't decode")
    assert told.endswith("mend its matplotlibrc or its installation, and run this again\n")
    assert not picture.exists()
