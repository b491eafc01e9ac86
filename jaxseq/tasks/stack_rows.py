"""Rows of the table of layers for a `nn.PictureStack`, whose layers run at once, so that no trace tells them apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxseq.nn.picture_stack import layer_kind, layer_names
from jaxseq.ops.picture_layers import Convolution, Layer, Shape
from jaxseq.tasks.task import LayerOutputs


def with_stack(
    found: LayerOutputs, path: str, layers: Sequence[Layer], shapes: Sequence[Shape], *, rows: int
) -> LayerOutputs:
    """`found`, with a row for each layer of the stack at `path` in place of what else is known of it.

    Args:
        shapes: of a picture on its way: as it comes in, and behind each layer.
        rows: of a batch.
    """
    names = [f"{path}/{name}" for name in layer_names(layers)]
    outputs: Any = {where: of for where, of in flatten_dict(found.outputs, sep="/").items() if not _inside(where, path)}
    for name, shape in zip(names, shapes[1:], strict=True):
        outputs[f"{name}/__call__"] = (jax.ShapeDtypeStruct((rows, *shape), jnp.float32),)
    kinds = {name: kind for name, kind in found.kinds.items() if not _inside(name, path)}
    kinds.update(zip(names, map(layer_kind, layers), strict=True))
    steps = zip(layers, shapes[:-1], shapes[1:], strict=True)
    own = {name: _products(*step) for name, step in zip(names, steps, strict=True)}

    def products() -> Mapping[str, int]:
        others = found.products() if found.products else {}
        return {**{name: made for name, made in others.items() if not _inside(name, path)}, **own}

    return LayerOutputs(
        _ordered(found.shapes, path.split("/"), layer_names(layers)), unflatten_dict(outputs, sep="/"), kinds, products
    )


def _inside(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}/")


def _ordered(shapes: Mapping[str, Any], path: Sequence[str], names: Sequence[str]) -> Mapping[str, Any]:
    """Nested dicts of parameters, in which the one at `path` has all these names in their order."""
    if not path:
        return {name: shapes.get(name, {}) for name in names}
    first, *rest = path
    return {name: _ordered(node, rest, names) if name == first else node for name, node in shapes.items()}


def _products(layer: Layer, before: Shape, after: Shape) -> int:
    """Multiply-adds for one picture."""
    if not isinstance(layer, Convolution):
        return 0
    # A kernel goes to every place of what comes out; a transposed one to those of what comes in.
    places = min(before[0] * before[1], after[0] * after[1]) if layer.transposed else after[0] * after[1]
    return layer.kernel**2 * before[2] * after[2] * places
