"""The curves of several runs in one picture."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxseq.reporting.pictures import lettering_for, new_figure, png_of

MOST_CURVES = 40
"""No two of so many have the same color and style."""
_TITLE = "jaxseq comparison of runs"
"""What the picture says it is."""
_LARGEST = 3.4028234e38  # in float32
_LONGEST_NAME = 48
_MOST_WITH_TRAINING = 6
"""Runs up to which the training split is drawn too."""


class Curve(NamedTuple):
    """What is drawn of a run."""

    name: str
    points: Sequence[tuple[float, int]]
    """Values with their steps."""
    training: Sequence[tuple[float, int]]
    """The same on the training split, drawn thin."""
    best: tuple[float, int] | None


def draw_comparison(curves: Sequence[Curve], *, label: str, name: str) -> bytes:
    """The curves over the steps as a PNG. Values that are not finite in float32 are left out; names are plain text, in
    an installed font that has their characters.

    Args:
        label: of what is measured.
        name: of the picture, for messages.

    Raises:
        InputError: Matplotlib does not start.
    """
    height = 5 + 0.22 * max(0, len(curves) - 6)
    with new_figure(name, size=(9, height)) as figure:
        axes = figure.add_subplot(xlabel="step", ylabel=label)
        letters = lettering_for("".join(curve.name for curve in curves) + "0123456789: best, at step")
        with_training = len(curves) <= _MOST_WITH_TRAINING and any(curve.training for curve in curves)
        for number, curve in enumerate(curves):
            color, style = f"C{number % 10}", ["-", "--", ":", "-."][number // 10 % 4]
            points = _finite(curve.points)
            shown = f"{number + 1}  {letters.shown(curve.name, most=_LONGEST_NAME)}"
            if curve.best is not None:
                value, step = curve.best
                shown += f": best {value:{'.4f' if abs(value) < 1e6 else '.4g'}}, at step {step:,}"
            mark = "o" if len(points) <= 40 else None
            axes.plot(
                [step for _, step in points],
                [value for value, _ in points],
                color=color,
                linestyle=style,
                marker=mark,
                markersize=4,
                linewidth=1.5,
                label=shown,
            )
            training = _finite(curve.training) if with_training else []
            axes.plot(
                [step for _, step in training], [value for value, _ in training], color=color, alpha=0.4, linewidth=0.8
            )
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        legend = figure.legend(
            frameon=False,
            prop=letters.font(9),
            loc="outside lower center",
            title="thin: the training split" if with_training else None,
            title_fontsize=9,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        return png_of(figure, Title=_TITLE)


def is_comparison(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `draw_comparison`."""
    return begin.startswith(b"\x89PNG\r\n\x1a\n") and b"tEXtTitle\0" + _TITLE.encode() in begin


def _finite(points: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    return [(value, step) for value, step in points if abs(value) <= _LARGEST]
