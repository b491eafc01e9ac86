"""Pictures: figures in anybody's surroundings, text of any characters in them, and PNGs that say who made them."""

import contextlib
import io
import os
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from jaxseq.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

SOFTWARE = "jaxseq"
"""What a picture says it was made by."""
PNG = b"\x89PNG\r\n\x1a\n"
"""What every PNG begins with."""
DOTS = 120
"""In an inch."""
_LONGEST_TITLE = 120


@contextlib.contextmanager
def new_figure(name: str, *, size: tuple[float, float] = (8, 5)) -> Iterator["Figure"]:
    """A figure of `size` (width, height) in inches; while entered, Matplotlib has its own settings, for what somebody
    has set for other pictures (a backend, TeX) need not be there.

    Args:
        name: of the picture, for messages.

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
            f"{name} cannot be drawn, for Matplotlib does not start ({error}): mend its matplotlibrc or its "
            "installation, and run this again"
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend

    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=size, dpi=DOTS, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def png_of(figure: "Figure", **about: str) -> bytes:
    """A figure as a PNG, which says by what it was made, and what `about` gives."""
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": SOFTWARE, **about})
    return png.getvalue()


def is_picture(begin: bytes) -> bool:
    """Whether a file that begins so is one of `png_of`."""
    return begin.startswith(PNG) and b"tEXtSoftware\0" + SOFTWARE.encode() in begin


class Lettering(NamedTuple):
    """How text is set in one font."""

    file: str | None
    """Of the font; None for the usual one."""
    has: frozenset[str]
    """The characters that can be drawn."""

    def shown(self, text: str, *, most: int | None = None) -> str:
        """`text` with an escape for each character that the font lacks; cut, with dots, where it is longer than
        `most`."""
        pieces = [char if char in self.has else char.encode("unicode_escape").decode() for char in text]
        if most is None or sum(map(len, pieces)) <= most:
            return "".join(pieces)
        room = accumulate(map(len, pieces))
        return "".join(piece for piece, end in zip(pieces, room, strict=True) if end <= most - 3) + "..."

    def font(self, size: float) -> "FontProperties":
        """The font in `size` points."""
        from matplotlib.font_manager import FontProperties

        return FontProperties(size=size) if self.file is None else FontProperties(fname=self.file, size=size)


def set_title(axes: "Axes", title: str) -> None:
    """Sets a title of any characters, small enough for the figure."""
    from matplotlib.font_manager import FontProperties

    letters = lettering_for(title)
    text = axes.set_title(letters.shown(title)[:_LONGEST_TITLE], parse_math=False)
    size = FontProperties(size=text.get_fontsize()).get_size_in_points()
    if letters.file is not None:
        text.set_fontproperties(letters.font(size))
    figure = axes.get_figure(root=True)
    assert figure is not None
    too_wide = text.get_window_extent().width / (0.85 * figure.bbox.width)
    if too_wide > 1:
        text.set_fontsize(size / too_wide)


def lettering_for(text: str) -> Lettering:
    """The installed font that has most characters of `text`; the usual one where none has more."""
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
    return Lettering(best, frozenset(has))


def _characters(file: str, wanted: set[str]) -> set[str]:
    """Those of `wanted` that the font in `file` can draw at any size."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(file)
    except (OSError, RuntimeError):  # gone since the list was made, or damaged
        return set()
    return {char for char in wanted if font.get_char_index(ord(char))} if font.scalable else set()
