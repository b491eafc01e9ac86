"""curves.png: the losses of a run as a picture."""

import io
from pathlib import Path

from jaxseq.training.files import write_atomic
from jaxseq.training.metrics import read_metrics

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
    figure.savefig(png, format="png")
    write_atomic(picture, png.getvalue())
