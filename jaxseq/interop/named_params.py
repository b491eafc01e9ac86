"""Parameters of a model from tensors that a file has by name, each with one place to go to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.reading import shown


class Tensor(NamedTuple):
    """A tensor as a model takes it, and what its file calls it."""

    name: str
    array: NDArray[Any]


def require_fit(
    place: str, tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[Any]]:
    """The parameters by their paths, float32, as the tensors give them.

    Args:
        place: the file, as errors call it.
        tensors: by the path of the parameter that each is for.
        shapes: those of the model's parameters, by path.

    Raises:
        InputError: one is missing, too many, of another shape, or not finite.
    """
    for path, tensor in tensors.items():
        if path not in shapes:
            raise InputError(
                f"{place}: {shown(tensor.name)} {_size(tensor.array.shape)} has no place in the model, which has no "
                f"{path}: it is of another architecture"
            )
        if tensor.array.shape != shapes[path]:
            raise InputError(
                f"{place}: {shown(tensor.name)} is {_size(tensor.array.shape)}, and {path} of the model is "
                f"{_size(shapes[path])}: give the model the sizes of the file"
            )
        if tensor.array.dtype.kind == "f" and not np.all(np.isfinite(tensor.array)):
            raise InputError(f"{place}: {shown(tensor.name)} has numbers that are not finite: save it anew")
    for path, shape in shapes.items():
        if path not in tensors:
            raise InputError(
                f"{place} holds nothing for {path} of the model ({_size(shape)}): it is cut short, or of another "
                "architecture"
            )
    return {path: np.ascontiguousarray(tensors[path].array, np.float32) for path in shapes}


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
