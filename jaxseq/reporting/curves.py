"""curves.png: the course of a run as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

from jaxseq.metrics.metric import Metric
from jaxseq.reporting.pictures import PNG, is_picture, new_figure, png_of, set_title
from jaxseq.storage.atomic import write_atomic
from jaxseq.storage.metrics_file import read_metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLORS = {"train": "#4c72b0", "validation": "#dd8452", "test": "#55a868"}
_LARGEST = 3.4028234e38  # in float32


def draw_curves(file: Path, picture: Path, *, metric: Metric, title: str = "") -> None:
    """Draws `metric` of every split in the metrics.csv `file` over the steps, as a PNG at `picture`.

    Rows of the file that are damaged, and values that are not finite in float32, are left out. The title is plain
    text, in an installed font that has its characters; those that none has, line ends and the like stand in it as
    escapes.

    Raises:
        InputError: the picture cannot be written, or Matplotlib not be imported.
    """
    rows = [row for row in read_metrics(file) if abs(float(row.get(metric.name) or "nan")) <= _LARGEST]
    with new_figure("curves.png") as figure:
        _draw(figure, rows, metric, title)
        png = png_of(figure)
    write_atomic(picture, png)


def _draw(figure: "Figure", rows: list[dict[str, str]], metric: Metric, title: str) -> None:
    axes = figure.add_subplot(xlabel="step", ylabel=metric.label)
    set_title(axes, title)
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


def is_curves(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `draw_curves`, an earlier version's too."""
    size = (int.from_bytes(begin[16:20]), int.from_bytes(begin[20:24]))
    by_version_1 = begin.startswith(PNG) and size == (960, 600) and b"tEXtSoftware\0Matplotlib version" in begin
    return is_picture(begin) or by_version_1
