"""The table of layers that a run starts with."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax

from jaxseq.training.state import PyTree


class Layer(NamedTuple):
    """A row of the table."""

    name: str
    output: str
    """Shape of its output, "" where it is not known."""
    parameters: int


def layers_of(params: Mapping[str, Any], outputs: Mapping[str, Any] | None = None) -> list[Layer]:
    """A row for each module that holds parameters itself, and for each parameter of the model's own, in the order of
    `params`.

    Args:
        params: nested dicts of arrays (or their shapes), as Flax makes them.
        outputs: Flax's "intermediates" with what every module's `__call__` returned, arrays or shapes; from
            `jax.eval_shape` of an `apply` with `capture_intermediates=True, mutable=["intermediates"]`. What a
            parameter of the model's own makes may stand there under its name.
    """
    layers: list[Layer] = []

    def visit(node: Mapping[str, Any], seen: Mapping[str, Any], path: tuple[str, ...]) -> None:
        own = {name: math.prod(leaf.shape) for name, leaf in node.items() if not isinstance(leaf, Mapping)}
        if own and path:
            layers.append(Layer("/".join(path), _shape(seen.get("__call__")), sum(own.values())))
        elif own:
            layers.extend(Layer(name, _shape(seen.get(name)), size) for name, size in own.items())
        for name, child in node.items():
            if isinstance(child, Mapping):
                visit(child, seen.get(name, {}), (*path, name))

    visit(params, outputs or {}, ())
    return layers


def format_table(layers: Sequence[Layer]) -> str:
    """The layers as plain text, names to the left, counts to the right, and their sum below."""
    total = Layer("total", "", sum(layer.parameters for layer in layers))
    head = ("layer", "output", "parameters")
    rows = [(name, output, f"{count:,}") for name, output, count in [*layers, total]]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(3)]

    def line(row: tuple[str, str, str]) -> str:
        return f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}"

    rule = "-" * (sum(widths) + 4)
    return "\n".join([line(head), rule, *map(line, rows[:-1]), rule, line(rows[-1])])


def count_parameters(params: PyTree) -> int:
    """Numbers in all leaves of `params`."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def _shape(returned: Any) -> str:
    """Shape of the first array with a batch axis in what a `__call__` returned."""
    leaves = jax.tree.leaves(returned)
    return str(tuple(leaves[0].shape)) if leaves else ""
