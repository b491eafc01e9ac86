"""curves.png: the losses of a run as a picture."""

import io
from pathlib import Path

from jaxseq.training.files import write_atomic
from jaxseq.training.metrics import read_metrics

SOFTWARE = "jaxseq"
"""What the picture says it was made by."""
_COLORS = {"train": "#4c72b0", "validation": "#dd8452", "test": "#55a868"}


def draw_curves(metrics: Path, picture: Path, *, title: str = "") -> None:
    """Draws the loss of every split in the file `metrics` over the steps, as a PNG at `picture`.

    Raises:
        InputError: the picture cannot be written.
    """
    # The figure without pyplot: no window system, no global state, half the import time.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in read_metrics(metrics) if row["loss"]]
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="loss (nats per token)", title=title)
    for split, color in _COLORS.items():
        points = [(int(row["step"]), float(row["loss"])) for row in rows if row["split"] == split]
        if points:
            steps, losses = zip(*points, strict=True)
            best_step, best = min(points, key=lambda point: point[1])
            label = split if split == "train" else f"{split}: best {best:.4f}, at step {best_step:,}"
            mark = "o" if split != "train" and len(points) <= 40 else None
            axes.plot(steps, losses, color=color, label=label, marker=mark, markersize=4, linewidth=1.5)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if rows:
        axes.legend(frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": SOFTWARE})
    write_atomic(picture, png.getvalue())


def is_picture(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `draw_curves`, an earlier version's too."""
    if not begin.startswith(b"\x89PNG\r\n\x1a\n"):
        return False
    size = (int.from_bytes(begin[16:20]), int.from_bytes(begin[20:24]))
    by_version_1 = size == (960, 600) and b"tEXtSoftware\0Matplotlib version" in begin
    return b"tEXtSoftware\0" + SOFTWARE.encode() in begin or by_version_1
