"""Run a stack of convolutions, poolings and upsamplings over pictures.

There are two formulations, with the same values and gradients: layer by layer with the operations of `ops.convolution`
and `ops.spatial_pooling`, and that of `ops.batch_last_stack`, on a CPU the faster one for layers with few maps. Which
of them runs is decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, assert_never

import jax
from jaxtyping import Float, Int32

from jaxseq.ops.batch_last_stack import faster_for, run_in_chunks
from jaxseq.ops.convolution import convolve
from jaxseq.ops.picture_layers import Convolution, Layer, MaxPool, Upsample, edges, output_shapes
from jaxseq.ops.shapes import Array, is_open
from jaxseq.ops.spatial_pooling import bed_of_nails, max_pool, max_pool_places, max_unpool, nearest


class ConvolutionWeights(NamedTuple):
    """Of one convolution, transposed or not."""

    kernel: Float[Array, "k k d f"]
    bias: Float[Array, " f"]


@partial(jax.tree_util.register_dataclass, data_fields=["index"], meta_fields=["size"])
@dataclass(frozen=True)
class Places:
    """Where a MaxPool found its maxima."""

    index: Int32[Array, "n h w c"]
    """Row times width plus column in the map that was pooled, of the first of equals."""
    size: tuple[int, int]
    """Height and width of that map."""


def run_stack(
    layers: Sequence[Layer],
    weights: Sequence[ConvolutionWeights | None],
    x: Float[Array, "n h w c"],
    *,
    places: tuple[Places, ...] = (),
    remember: bool = False,
) -> tuple[Float[Array, "n rows columns f"], tuple[Places, ...]]:
    """The stack's output, and what its MaxPools leave to an unpooling further on.

    Only reverse-mode differentiation is defined.

    Args:
        weights: One for each layer, None for those that are no convolution.
        places: What the stack before this one left.
        remember: Whether this one leaves any.

    Raises:
        ValueError: a picture is too small for a layer, or an unpooling has no pooling to undo.
    """
    first = 0
    if jax.default_backend() == "cpu" and not places and not remember and not is_open(x.shape[0]):
        first = faster_for(layers, x.shape, x.dtype)
    if first:
        x = run_in_chunks(layers[:first], weights[:first], x)
    return run_by_layers(layers[first:], weights[first:], x, places=places, remember=remember)


def run_by_layers(
    layers: Sequence[Layer],
    weights: Sequence[ConvolutionWeights | None],
    x: Float[Array, "n h w c"],
    *,
    places: tuple[Places, ...] = (),
    remember: bool = False,
) -> tuple[Float[Array, "n rows columns f"], tuple[Places, ...]]:
    """As `run_stack`, one layer after the other."""
    if not places:  # else where the pooled maps came from is not known
        output_shapes(layers, (x.shape[1], x.shape[2], x.shape[3]))
    kept = list(places)
    asked = remember or any(isinstance(layer, Upsample) and layer.kind == "unpool" for layer in layers)
    for layer, own in zip(layers, weights, strict=True):
        match layer:
            case Convolution():
                assert own is not None
                x = _convolved(layer, *own, x)
            case MaxPool() if asked:
                size = (x.shape[1], x.shape[2])
                x, index = max_pool_places(x, layer.window, padding=layer.padding)
                kept.append(Places(index, size))
            case MaxPool():
                x = max_pool(x, layer.window, padding=layer.padding)
            case Upsample(kind="unpool"):
                before = kept.pop()
                x = max_unpool(x, before.index, before.size)
            case Upsample(kind="nails"):
                x = bed_of_nails(x, layer.factor)
            case Upsample(kind="nearest"):
                x = nearest(x, layer.factor)
            case _:
                raise ValueError(f"{layer} is no layer of a stack: see jaxseq.ops.picture_layers")
    return x, tuple(kept) if remember else ()


def _convolved(layer: Convolution, kernel: Array, bias: Array, x: Array) -> Array:
    kernel = kernel[::-1, ::-1] if layer.transposed else kernel
    y = convolve(x, kernel, bias, padding=[edges(layer)] * 2)
    match layer.activation:
        case "relu":
            return jax.nn.relu(y)
        case "sigmoid":
            return jax.nn.sigmoid(y)
        case "linear":
            return y
        case _:
            assert_never(layer.activation)
