"""The sizes of a Transformer encoder, and the names and shapes of its parameters."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxseq.errors import InputError
from jaxseq.reading import shown


class EncoderSizes(NamedTuple):
    """What the parameters of an encoder follow from, and what it makes of them; names and meaning are those of the
    model section `encoder`."""

    features: int
    layers: int
    heads: int
    context: int
    positions: str
    segments: int
    norm: str
    epsilon: float
    mlp_ratio: int
    bias: bool


Names = tuple[str, ...]
"""Of an array in nested parameters, outer first."""


def param_shapes(sizes: EncoderSizes, vocabulary_size: int) -> Iterator[tuple[Names, tuple[int, ...]]]:
    """The arrays that an encoder has, as `jaxseq.models.TransformerEncoder` lays them out."""
    d, wide = sizes.features, sizes.features * sizes.mlp_ratio
    yield ("embedding",), (vocabulary_size, d)
    if sizes.positions == "learned":
        yield ("position_table",), (sizes.context, d)
    if sizes.segments:
        yield ("segment_table",), (sizes.segments, d)
    yield from _with_bias(sizes, ("norm",), "scale", (d,), d)
    for block in (f"block_{number}" for number in range(sizes.layers)):
        yield from _with_bias(sizes, (block, "attention", "input"), "kernel", (d, 3 * d), 3 * d)
        yield from _with_bias(sizes, (block, "attention", "output"), "kernel", (d, d), d)
        yield from _with_bias(sizes, (block, "attention_norm"), "scale", (d,), d)
        yield from _with_bias(sizes, (block, "feed_forward", "input"), "kernel", (d, wide), wide)
        yield from _with_bias(sizes, (block, "feed_forward", "output"), "kernel", (d, wide), d)
        yield from _with_bias(sizes, (block, "feed_forward_norm"), "scale", (d,), d)


def _with_bias(
    sizes: EncoderSizes, where: Names, name: str, shape: tuple[int, ...], width: int
) -> Iterator[tuple[Names, tuple[int, ...]]]:
    yield (*where, name), shape
    if sizes.bias:
        yield (*where, "bias"), (width,)


def take(
    tensors: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...] | None, *, place: str
) -> NDArray[np.float32]:
    """One of the tensors in `place`, which must have this shape, or for None be a matrix.

    Raises:
        InputError: it is not there, has another shape, or is not of finite numbers.
    """
    if name not in tensors:
        raise InputError(f"{place} has no tensor {name}, which the configuration beside it asks for: fetch it again")
    array = tensors[name]
    if array.shape != shape if shape is not None else array.ndim != 2 or not array.size:
        wanted = "a matrix" if shape is None else f"{list(shape)} as the configuration beside it says"
        raise InputError(f"{place}: {name} has the shape {list(array.shape)}, not {wanted}: give files that fit")
    # bfloat16 is of kind "V": NumPy does not know it for a float.
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise InputError(f"{place}: {name} is of {shown(array.dtype)}, not of float32: give weights in that type")
    found = array.astype(np.float32)
    if not np.isfinite(found).all():
        raise InputError(f"{place}: {name} holds what is no finite number: fetch it again")
    return found


def tree_of(arrays: Mapping[Names, NDArray[np.float32]]) -> dict[str, Any]:
    """Nested parameters of arrays by their names."""
    tree: dict[str, Any] = {}
    for names, array in arrays.items():
        at = tree
        for name in names[:-1]:
            at = at.setdefault(name, {})
        at[names[-1]] = array
    return tree
