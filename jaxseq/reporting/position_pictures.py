"""Codes of positions, as the picture in every book: positions down, features across, some features as curves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jaxseq.reporting.pictures import PNG, new_figure, png_of

_TITLE = "jaxseq picture of positions"
"""What the picture says it is."""


def positions_picture(codes: NDArray[np.floating], *, marked: Sequence[int], name: str) -> bytes:
    """A PNG of codes [t, d], each from -1 to 1: all of them as colors, and beside them those of the `marked` features
    as curves along the positions, a line in their colors where they stand among the others.

    Args:
        marked: features, from 0 to d - 1.
        name: of the picture, for messages.

    Raises:
        InputError: Matplotlib does not start.
    """
    t, d = codes.shape
    with new_figure(name, size=(11, 5)) as figure:
        table, curves = figure.subplots(1, 2, width_ratios=(3, 2)) if marked else (figure.subplots(), None)
        edges = (-0.5, d - 0.5, t - 0.5, -0.5)
        image = table.imshow(codes, cmap="RdBu", vmin=-1, vmax=1, aspect="auto", interpolation="nearest", extent=edges)
        table.set(xlabel="feature", ylabel="position")
        figure.colorbar(image, ax=table, label="code")
        if curves is not None:
            for at, feature in enumerate(marked):
                table.axvline(feature, color=f"C{at + 1}", linewidth=1.5)
                curves.plot(codes[:, feature], np.arange(t), color=f"C{at + 1}", label=f"feature {feature}")
            curves.set(xlabel="code", ylim=(t - 0.5, -0.5), xlim=(-1.05, 1.05))
            curves.spines[["top", "right"]].set_visible(False)
            figure.legend(loc="outside upper right", ncols=4, frameon=False)
        return png_of(figure, Title=_TITLE)


def is_positions_picture(begin: bytes) -> bool:
    """Whether the first thousand bytes of a file are those of a picture of `positions_picture`."""
    return begin.startswith(PNG) and b"tEXtTitle\0" + _TITLE.encode() in begin
