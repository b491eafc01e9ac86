"""Where in the source an operation of a traced function stands."""

from pathlib import Path
from typing import Any

import flax
import jax
import optax
from jax.extend.core import JaxprEqn

_LIBRARIES = tuple(str(Path(module.__file__ or "").parent) for module in (jax, flax, optax))


def place_of(equation: JaxprEqn) -> str:
    """File, line and function of the innermost call that led to `equation` and stands in no library.

    For an operation of a backward pass that is the call it gives the gradient of.
    """
    traceback = equation.source_info.traceback
    for frame in traceback.frames if traceback else ():
        if not frame.file_name.startswith(_LIBRARIES):
            return f"{frame.file_name}:{frame.line_num} ({frame.function_name})"
    return "an unknown place"


def is_backward(equation: JaxprEqn) -> bool:
    """Whether `equation` belongs to a backward pass."""
    return "transpose" in str(equation.source_info.name_stack)


def function_is_library(function: Any) -> bool:
    """Whether a (closed) jaxpr was traced from a function of JAX, Flax or Optax.

    Such traces are cached, and the places in them are those of the first call ever made.
    """
    filename = getattr(function, "jaxpr", function).debug_info.func_filename
    return filename is not None and filename.startswith(_LIBRARIES)
