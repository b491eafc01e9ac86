"""Pictures that need no run, and where pictures may be written."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from jaxseq.errors import InputError
from jaxseq.opening import open_regular
from jaxseq.ops.positions import sinusoidal
from jaxseq.reporting.position_pictures import is_positions_picture, positions_picture
from jaxseq.storage.atomic import write_atomic


def draw_positions(picture: Path, *, length: int, features: int, marked: Sequence[int]) -> None:
    """Draws the sinusoidal codes of the first `length` positions, [length, features], as a PNG at `picture`; what is
    there is overwritten if it is one too.

    Args:
        marked: features that are drawn as curves too.

    Raises:
        InputError: it cannot be drawn or written, or something else has its name.
    """
    require_place(picture, is_positions_picture, command="draw positions", option="--output")
    codes = np.asarray(sinusoidal(jnp.arange(length), features))
    write_atomic(picture, positions_picture(codes, marked=marked, name=picture.name))


def require_place(picture: Path, is_ours: Callable[[bytes], bool], *, command: str, option: str) -> None:
    """Refuses a place where something else is than an earlier picture of the same kind, drawn by `command`.

    Raises:
        InputError: there is.
    """
    if os.path.lexists(picture) and not _is_ours(picture, is_ours):
        raise InputError(f"{picture} is there and is none that jaxseq {command} drew: give another {option}")


def _is_ours(path: Path, is_ours: Callable[[bytes], bool]) -> bool:
    try:
        with open_regular(path) as file:
            return is_ours(file.read(1000))
    except OSError:
        return False
