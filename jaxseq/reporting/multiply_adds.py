"""How many multiply-adds a program makes, layer by layer: counted in what JAX has traced, so nothing is computed.

Counted are the matrix products and convolutions, as they are written down. What is multiplied number by number (gates,
norms, scores that are a sum over a tanh) is not, nor is what is looked up.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
from jax.extend import core

Origins = frozenset[str | None]
"""What an array has been made of: the layers of parameters, None for anything else that goes into the program; empty of
constants."""

_LAYER = "layer:"
"""What the name of a scope begins with that `layer_scope` has entered."""


def layer_scope(path: str) -> AbstractContextManager[Any]:
    """Entered while the layer of this name is traced."""
    return jax.named_scope(_LAYER + path)


def multiply_adds(program: core.ClosedJaxpr, parameters: Sequence[str | None] = ()) -> dict[str, int]:
    """Of each layer of `program`, a jaxpr, those that it makes itself, in the order of their first ones; under "" what
    belongs to none. Their sum is that of the program.

    They belong to the innermost layer they stand in; those with a parameter of a layer further down to that one.

    A loop makes those of its body once a turn, or where only running it tells how often it turns, once. Of branches the
    dearest one counts, of what is split over devices the parts of all of them. A convolution takes its kernel to every
    place of its output, padding or not; one that has fewer places in its input, a transposed one, to every place of
    that. Of functions that have a derivative of their own it is the function that counts.

    Args:
        parameters: of each input of the program the layer that it is a parameter of, None where it is none.
    """
    inputs = program.jaxpr.invars
    given = [*parameters, *[None] * (len(inputs) - len(parameters))]
    return dict(_count(program.jaxpr, "", [frozenset([name]) for name in given]))


def _count(jaxpr: core.Jaxpr, within: str, inputs: Sequence[Origins]) -> Counter[str]:
    """Of a program in the layer `within`."""
    counts: Counter[str] = Counter()
    origins: dict[Any, Origins] = dict(zip(jaxpr.invars, inputs, strict=True))
    for equation in jaxpr.eqns:
        layer = _layer_of(equation, within)
        taken = [frozenset() if isinstance(x, core.Literal) else origins.get(x, frozenset()) for x in equation.invars]
        origins.update(dict.fromkeys(equation.outvars, frozenset().union(*taken)))
        if made := _own(equation):
            counts[_further_down(layer, taken)] += made
            continue
        inner = [_count(each, layer, given) for each, given in _inside(equation, taken)]
        if equation.primitive.name == "cond":
            inner = [max(inner, key=Counter.total)]
        for name, count in (item for each in inner for item in each.items()):
            counts[name] += _turns(equation) * count
    return counts


def _layer_of(equation: core.JaxprEqn, within: str) -> str:
    """The layer that an equation of a program in the layer `within` stands in."""
    scopes = [scope.name for scope in equation.source_info.name_stack.stack if scope.name.startswith(_LAYER)]
    return scopes[-1].removeprefix(_LAYER) if scopes else within  # a program in another begins with no scope


def _further_down(layer: str, taken: Sequence[Origins]) -> str:
    """The one layer below `layer` whose parameters are multiplied, or else `layer`."""
    owners = {name for origins in taken if len(origins) == 1 for name in origins if name is not None}
    name = owners.pop() if len(owners) == 1 else layer
    return name if not layer or name.startswith(f"{layer}/") else layer


def _inside(equation: core.JaxprEqn, taken: Sequence[Origins]) -> Iterator[tuple[core.Jaxpr, Sequence[Origins]]]:
    """The programs in an equation, and what goes into each."""
    if equation.primitive.name == "while":
        condition, body = equation.params["cond_nconsts"], equation.params["body_nconsts"]
        yield equation.params["cond_jaxpr"].jaxpr, [*taken[:condition], *taken[condition + body :]]
        yield equation.params["body_jaxpr"].jaxpr, taken[condition:]
        return
    for jaxpr in core.jaxprs_in_params(equation.params):
        yield jaxpr, taken[len(taken) - len(jaxpr.invars) :]  # the first choose a branch, where there are more


def _turns(equation: core.JaxprEqn) -> int:
    """How often what is inside of it runs."""
    if equation.primitive.name == "scan":
        return equation.params["length"]
    if equation.primitive.name == "shard_map":
        return equation.params["mesh"].size
    return 1


def _own(equation: core.JaxprEqn) -> int:
    """Those of the equation itself."""
    if equation.primitive.name not in ("dot_general", "conv_general_dilated"):
        return 0
    variables: list[Any] = [*equation.invars, *equation.outvars]
    left, right, output = (variable.aval.shape for variable in variables)
    if equation.primitive.name == "dot_general":
        (summed, _), _ = equation.params["dimension_numbers"]
        return math.prod(output) * math.prod(left[axis] for axis in summed)
    places = equation.params["dimension_numbers"]
    axes = zip(places.lhs_spec[2:], places.out_spec[2:], strict=True)
    positions = math.prod(min(left[before], output[after]) for before, after in axes)
    rows, features = (output[axis] for axis in places.out_spec[:2])
    window = math.prod(right) // right[places.rhs_spec[0]]  # with the features that one of the output sees
    return rows * features * positions * window
