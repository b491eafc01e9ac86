"""curves.png: the course of a run as a picture."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jaxseq.errors import InputError
from jaxseq.metrics.metric import Metric
from jaxseq.storage.atomic import write_atomic
from jaxseq.storage.metrics_file import read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOFTWARE = "jaxseq"
"""What the picture says it was made by."""
_COLORS = {"train": "#4c72b0", "validation": "#dd8452", "test": "#55a868"}
_LARGEST = 3.4028234e38  # in float32
_LONGEST_TITLE = 120


def draw_curves(file: Path, picture: Path, *, metric: Metric, title: str = "") -> None:
    """Draws `metric` of every split in the metrics.csv `file` over the steps, as a PNG at `picture`.

    Rows of the file that are damaged, and values that are not finite in float32, are left out. The title is plain
    text, in an installed font that has its characters; those that none has, line ends and the like stand in it as
    escapes.

    Raises:
        InputError: the picture cannot be written, or Matplotlib not be imported.
    """
    rows = [row for row in read_metrics(file) if abs(float(row.get(metric.name) or "nan")) <= _LARGEST]
    png = io.BytesIO()
    with _new_figure() as figure:
        _draw(figure, rows, metric, title)
        figure.savefig(png, format="png", metadata={"Software": SOFTWARE})
    write_atomic(picture, png.getvalue())


@contextlib.contextmanager
def _new_figure() -> Iterator["Figure"]:
    """A figure; while entered, Matplotlib has its own settings, for what somebody has set for other pictures (a
    backend, TeX) need not be there.

    Raises:
        InputError: Matplotlib cannot be imported.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        # The figure without pyplot: no window system, no global state, half the import time.
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except (ImportError, OSError, RuntimeError, ValueError) as error:  # it reads files of settings on import
        raise InputError(
            f"curves.png cannot be drawn, for Matplotlib does not start ({error}): mend its matplotlibrc or its "
            "installation, and run this again"
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend

    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def _draw(figure: "Figure", rows: list[dict[str, str]], metric: Metric, title: str) -> None:
    axes = figure.add_subplot(xlabel="step", ylabel=metric.label)
    _set_title(axes, title)
    for split, color in _COLORS.items():
        points = [(int(row["step"]), float(row[metric.name])) for row in rows if row["split"] == split]
        if points:
            steps, values = zip(*points, strict=True)
            best_step, best = (min if metric.better == "lower" else max)(points, key=lambda point: point[1])
            label = (
                split
                if split == "train"
                else f"{split}: best {best:{'.4f' if abs(best) < 1e6 else '.4g'}}, at step {best_step:,}"
            )
            mark = "o" if split != "train" and len(points) <= 40 else None
            axes.plot(steps, values, color=color, label=label, marker=mark, markersize=4, linewidth=1.5)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if rows:
        axes.legend(frameon=False)


def _set_title(axes: "Axes", title: str) -> None:
    """Sets a title of any characters, small enough for the figure."""
    from matplotlib.font_manager import FontProperties

    file, shown = _font_for(title)
    text = axes.set_title(shown[:_LONGEST_TITLE], parse_math=False)
    size = FontProperties(size=text.get_fontsize()).get_size_in_points()
    if file is not None:
        text.set_fontproperties(FontProperties(fname=file, size=size))
    figure = axes.get_figure(root=True)
    assert figure is not None
    too_wide = text.get_window_extent().width / (0.85 * figure.bbox.width)
    if too_wide > 1:
        text.set_fontsize(size / too_wide)


def _font_for(text: str) -> tuple[str | None, str]:
    """The file of the font that has most characters of `text`, None for the usual one; and `text` with an escape for
    each that it lacks."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager

    usual = findfont(FontProperties())
    # Upright and of regular weight; the font of last resort has nothing but boxes.
    others = sorted(
        {
            font.fname
            for font in fontManager.ttflist
            if (font.style, font.weight) == ("normal", 400) and "lastresort" not in font.name.lower().replace(" ", "")
        }
    )
    wanted = {char for char in text if char.isprintable()}
    best, has = None, _characters(usual, wanted)
    for file in others:
        if len(has) == len(wanted):
            break
        found = _characters(file, wanted)
        if len(found) > len(has):
            best, has = file, found
    return best, "".join(char if char in has else char.encode("unicode_escape").decode() for char in text)


def _characters(file: str, wanted: set[str]) -> set[str]:
    """Those of `wanted` that the font in `file` can draw at any size."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(file)
    except (OSError, RuntimeError):  # gone since the list was made, or damaged
        return set()
    return {char for char in wanted if font.get_char_index(ord(char))} if font.scalable else set()


def is_picture(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `draw_curves`, an earlier version's too."""
    if not begin.startswith(b"\x89PNG\r\n\x1a\n"):
        return False
    size = (int.from_bytes(begin[16:20]), int.from_bytes(begin[20:24]))
    by_version_1 = size == (960, 600) and b"tEXtSoftware\0Matplotlib version" in begin
    return b"tEXtSoftware\0" + SOFTWARE.encode() in begin or by_version_1
