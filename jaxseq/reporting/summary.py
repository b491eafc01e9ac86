"""The table of layers that a run starts with."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax


class Layer(NamedTuple):
    """A row of the table."""

    name: str
    kind: str
    """Class of its module, or what the parameter serves as; "" where it is not known."""
    output: str
    """Shape of its output, "" where it is not known."""
    parameters: int


def layers_of(
    params: Mapping[str, Any], outputs: Mapping[str, Any] | None = None, kinds: Mapping[str, str] | None = None
) -> list[Layer]:
    """A row for each module that holds parameters itself, and for each parameter of the model's own, in the order of
    `params`.

    Args:
        params: nested dicts of arrays (or their shapes), as Flax makes them.
        outputs: Flax's "intermediates" with what every module's `__call__` returned, arrays or shapes; from
            `jax.eval_shape` of an `apply` with `capture_intermediates=True, mutable=["intermediates"]`. What a
            parameter of the model's own makes may stand there under its name.
        kinds: kinds of layers by name ("block_0/attention/input").
    """
    layers: list[Layer] = []

    def visit(node: Mapping[str, Any], seen: Mapping[str, Any], path: tuple[str, ...]) -> None:
        sizes = [math.prod(leaf.shape) for leaf in node.values() if not isinstance(leaf, Mapping)]
        if path and sizes:
            row(path, seen.get("__call__"), sum(sizes))
        for name, child in node.items():
            if isinstance(child, Mapping):
                visit(child, seen.get(name, {}), (*path, name))
            elif not path:
                row((name,), seen.get(name), math.prod(child.shape))

    def row(path: tuple[str, ...], output: Any, size: int) -> None:
        name = "/".join(path)
        layers.append(Layer(name, (kinds or {}).get(name, ""), _shape(output), size))

    visit(params, outputs or {}, ())
    return layers


def format_table(layers: Sequence[Layer]) -> str:
    """The layers as plain text, names to the left, counts to the right, and their sum below."""
    total = Layer("total", "", "", sum(layer.parameters for layer in layers))
    head = ("layer", "kind", "output", "parameters")
    rows = [(name, kind, output, f"{count:,}") for name, kind, output, count in [*layers, total]]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(4)]

    def line(row: tuple[str, str, str, str]) -> str:
        *left, count = row
        padded = [f"{text:<{width}}" for text, width in zip(left, widths[:-1], strict=True)]
        return "  ".join([*padded, f"{count:>{widths[-1]}}"])

    rule = "-" * len(line(head))
    return "\n".join([line(head), rule, *map(line, rows[:-1]), rule, line(rows[-1])])


def count_parameters(params: Any) -> int:
    """Numbers in all leaves of `params`."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def _shape(returned: Any) -> str:
    """Shape of the first array with a batch axis in what a `__call__` returned."""
    leaves = jax.tree.leaves(returned)
    return str(tuple(leaves[0].shape)) if leaves else ""
