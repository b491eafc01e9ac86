"""A stack of picture layers by `jaxseq.ops.batch_last_layers`, in chunks of some pictures that stay in cache."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxseq.ops.batch_last_layers import (
    Convolve,
    ConvolveAndPool,
    Pool,
    Repeat,
    Spread,
    Step,
    Unpool,
    Weights,
    spread_kernel,
)
from jaxseq.ops.picture_layers import Convolution, Layer, MaxPool, Shape, Upsample, edges, output_shapes
from jaxseq.ops.shapes import Array

_LEAST, _MOST, _REGISTERS = 16, 48, 8
"""Pictures in a chunk, in steps of what vector registers hold."""
_CACHE = 2**21
"""Bytes of the largest map of a chunk."""
_MAPS = 128
"""Maps that come in times maps that go out of a convolution; with 256 the other formulation is as fast, with 512 it
takes three quarters of the time."""


def run_in_chunks(
    layers: Sequence[Layer], weights: Sequence[Any], x: Float[Array, "n h w c"]
) -> Float[Array, "n rows columns f"]:
    """What the stack makes of pictures; weights as `picture_stack.run_stack` has them.

    Only reverse-mode differentiation is defined.
    """
    plan = planned(layers, (x.shape[1], x.shape[2], x.shape[3]))
    used = [_prepared(layers, one, weights) for one in plan]
    size = chunk_size(len(x))
    full = jnp.pad(x, ((0, -len(x) % size), (0, 0), (0, 0), (0, 0)))
    chunks = full.reshape(-1, size, *x.shape[1:]).transpose(0, 4, 2, 3, 1)
    y: Any = _run(tuple(plan), used, chunks)
    return y.transpose(0, 4, 2, 3, 1).reshape(len(full), *y.shape[2:4], y.shape[1])[: len(x)]


def chunk_size(count: int) -> int:
    """Pictures in a chunk, so that few are added to make the last one full."""
    sizes = range(_LEAST, _MOST + 1, _REGISTERS)
    return min(sizes, key=lambda size: (-(-count // size) * size, abs(size - 32)))


def faster_for(layers: Sequence[Layer], shape: Sequence[int], dtype: DTypeLike) -> int:
    """How many of the first layers `run_in_chunks` is the faster way for, with pictures [n, h, w, c] of a type.

    There must be enough of them to fill vector registers with, few maps, and of a size that a chunk of them stays in
    cache. If not all layers are of that kind, the last one that is is a pooling, so that little goes over."""
    count, height, width, channels = shape
    if count < _LEAST or dtype not in (jnp.float32, jnp.float64):
        return 0
    picture = height, width, channels
    shapes, most = [picture, *output_shapes(layers, picture)], _CACHE // (32 * jnp.dtype(dtype).itemsize)
    found = 0
    for step, layer, _, end in planned(layers, picture):
        looks = 0 if layer is None else shapes[layer][2] * shapes[layer + 1][2]
        if looks > _MAPS or math.prod(shapes[end]) > most:
            break
        if isinstance(step, ConvolveAndPool) or end == len(layers):
            found = end
    undone = any(isinstance(layer, Upsample) and layer.kind == "unpool" for layer in layers[found:])
    return 0 if undone else found


class Planned(NamedTuple):
    """One step of a stack."""

    step: Step
    layer: int | None
    """Which layer's weights it has."""
    undoes: int | None
    """Which step's pooling."""
    end: int
    """Layers that are done then."""


def planned(layers: Sequence[Layer], shape: Shape) -> list[Planned]:
    """The steps for pictures of a shape."""
    sizes = [shape, *output_shapes(layers, shape)]
    steps: list[Planned] = []
    pooled: list[tuple[int, MaxPool, Shape]] = []
    at = 0
    while at < len(layers):
        here, following = layers[at], layers[at + 1] if at + 1 < len(layers) else None
        match here, following:
            case Convolution(), MaxPool() if here.activation != "sigmoid":
                pooled.append((len(steps), following, sizes[at + 1]))
                step = Planned(ConvolveAndPool(edges(here), here.activation, following), at, None, at + 2)
            case Convolution(), _:
                step = Planned(Convolve(edges(here), here.activation), at, None, at + 1)
            case MaxPool(), _:
                pooled.append((len(steps), here, sizes[at]))
                step = Planned(Pool(here), None, None, at + 1)
            case Upsample(kind="unpool"), _:
                number, pool, (height, width, _) = pooled.pop()
                step = Planned(Unpool(pool, (height, width)), None, number, at + 1)
            case Upsample(), Convolution():
                spread = Spread(here.factor, edges(following), following.kernel, following.activation)
                step = Planned(spread, at + 1, None, at + 2)
            case Upsample(), _:
                step = Planned(Repeat(here.factor, here.kind == "nails"), None, None, at + 1)
        steps.append(step)
        at = step.end
    return steps


def _prepared(layers: Sequence[Layer], planned: Planned, weights: Sequence[Any]) -> Weights | None:
    if planned.layer is None:
        return None
    layer = layers[planned.layer]
    assert isinstance(layer, Convolution)
    kernel, bias = weights[planned.layer]
    kernel = kernel[::-1, ::-1] if layer.transposed else kernel
    if isinstance(planned.step, Spread):
        before = layers[planned.layer - 1]
        assert isinstance(before, Upsample)
        kernel = spread_kernel(kernel, before.factor, nails=before.kind == "nails")
    return Weights(kernel, bias)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(plan: tuple[Planned, ...], weights: Sequence[Weights | None], chunks: Array) -> Array:
    """[chunks, f, h, w, n] of [chunks, c, h, w, n]."""
    return lax.map(lambda x: _forward(plan, weights, x)[0][-1], chunks)


def _forward(
    plan: tuple[Planned, ...], weights: Sequence[Weights | None], x: Array
) -> tuple[list[Array], list[Array | None]]:
    """x and what each step makes of it, and what poolings remember."""
    found, which = [x], []
    for (step, _, undoes, _), own in zip(plan, weights, strict=True):
        y, place = step.forward(own, found[-1], None if undoes is None else which[undoes])
        found.append(y)
        which.append(place)
    return found, which


def _run_forward(plan: tuple[Planned, ...], weights: Sequence[Weights | None], chunks: Array) -> tuple[Array, Any]:
    (_, *found), which = lax.map(partial(_forward, plan, weights), chunks)
    return found[-1], (weights, [chunks, *found], which)


def _run_backward(plan: tuple[Planned, ...], saved: Any, d_y: Array) -> tuple[Any, Array]:
    weights, *kept = saved

    def step(total: Any, chunk: Any) -> tuple[Any, Array]:
        d, (found, which) = chunk
        gradients = []
        for number in reversed(range(len(plan))):
            one, places = plan[number], which[number]
            if one.undoes is not None:
                places = which[one.undoes]
            d, own = one.step.backward(weights[number], found[number], found[number + 1], places, d)
            gradients.append(own)
        return jax.tree.map(jnp.add, total, gradients[::-1]), d

    return lax.scan(step, jax.tree.map(jnp.zeros_like, weights), (d_y, kept))


_run.defvjp(_run_forward, _run_backward)
