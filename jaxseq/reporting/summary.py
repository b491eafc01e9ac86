"""The table of layers that a run starts with, and `jaxseq summary` prints."""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax

_REST = "(model)"
"""Name of a row for what stands in no layer."""


class Layer(NamedTuple):
    """A row of the table."""

    name: str
    kind: str
    """Class of its module, or what the parameter serves as; "" where it is not known."""
    output: str
    """Shape of its output, "" where it is not known."""
    parameters: int
    multiply_adds: int | None = None
    """Of one row of a batch; None where nobody asks for them."""


def layers_of(
    params: Mapping[str, Any],
    outputs: Mapping[str, Any] | None = None,
    kinds: Mapping[str, str] | None = None,
    products: Mapping[str, int] | None = None,
) -> list[Layer]:
    """A row for each module that holds parameters itself, and for each parameter of the model's own or that has a kind,
    in the order of `params`; and one for each of `products` that is none of these.

    Args:
        params: nested dicts of arrays (or their shapes), as Flax makes them; an empty one is a layer without any.
        outputs: Flax's "intermediates" with what every module's `__call__` returned, arrays or shapes; from
            `jax.eval_shape` of an `apply` with `capture_intermediates=True, mutable=["intermediates"]`. What a
            parameter of the model's own makes may stand there under its name.
        kinds: kinds of layers by name ("block_0/attention/input"), in the order in which they are first used.
        products: multiply-adds by name; under "" those of the model outside of its layers.
    """
    outputs, kinds = outputs or {}, kinds or {}
    layers: list[Layer] = []

    def visit(node: Mapping[str, Any], path: tuple[str, ...]) -> None:
        own = {name: math.prod(child.shape) for name, child in node.items() if not isinstance(child, Mapping)}
        apart = {name for name in own if not path or "/".join((*path, name)) in kinds}
        if path and (own.keys() - apart or not node):
            layers.append(row("/".join(path), sum(own[name] for name in own.keys() - apart)))
        for name, child in node.items():
            if isinstance(child, Mapping):
                visit(child, (*path, name))
            elif name in apart:
                layers.append(row("/".join((*path, name)), own[name]))

    def row(name: str, size: int) -> Layer:
        made = None if products is None else products.get(name, 0)
        return Layer(name or _REST, kinds.get(name, ""), _output(outputs, name), size, made)

    visit(params, ())
    for name in products or {}:
        if name not in {layer.name for layer in layers}:
            layers.insert(_place(name, [layer.name for layer in layers], list(kinds)), row(name, 0))
    return layers


def _place(name: str, rows: Sequence[str], used: Sequence[str]) -> int:
    """Where a layer without parameters goes among others: before the first one in it, or else behind the last one that
    is used before it."""
    inside = [i for i, other in enumerate(rows) if name and other.startswith(f"{name}/")]
    if inside:
        return inside[0]
    earlier = used[: used.index(name)] if name in used else used
    return max((i + 1 for i, other in enumerate(rows) if other in earlier), default=len(rows))


def format_table(layers: Sequence[Layer]) -> str:
    """The layers as plain text, names to the left, counts to the right, and their sum below; multiply-adds where they
    are known."""
    counts = [(layer.parameters, *([] if layer.multiply_adds is None else [layer.multiply_adds])) for layer in layers]
    totals = [sum(column) for column in zip(*counts, strict=True)] or [0]
    head = ("layer", "kind", "output", *("parameters", "multiply-adds")[: len(totals)])
    rows = [(*layer[:3], *map("{:,}".format, own)) for layer, own in zip(layers, counts, strict=True)]
    rows.append(("total", "", "", *map("{:,}".format, totals)))
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, "<<<>>", strict=False)
        return "  ".join(f"{text:{side}{width}}" for text, width, side in cells)

    rule = "-" * len(line(head))
    return "\n".join([line(head), rule, *map(line, rows[:-1]), rule, line(rows[-1])])


def count_parameters(params: Any) -> int:
    """Numbers in all leaves of `params`."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def _output(outputs: Mapping[str, Any], name: str) -> str:
    """Shape of the first array in what the layer's `__call__` returned, which has a batch axis."""
    found = reduce(lambda node, part: node.get(part, {}), name.split("/") if name else [], outputs)
    returned = found.get("__call__") if isinstance(found, Mapping) else found
    leaves = jax.tree.leaves(returned)
    return str(tuple(leaves[0].shape)) if leaves else ""
