"""Finding the operation that made the first NaN or infinity of a training step.

The gradient of the loss is traced, and the trace run one operation at a time. Each value that is not finite is
accompanied by its origin, the operation that made it of finite values. Whatever makes one and is itself a function (a
loop, a branch, a checkpointed function, a rule of differentiation) is gone into. What a loss makes and masks away is
not reported: it is the origin of what reaches the loss, the carry or the gradient that counts.

`jax.experimental.checkify` (JAX 0.10), which goes into rules of differentiation too, does not serve instead: it knows
no infinity (a logarithm of zero, an overflow), names what is masked away, and of bad input the operation that met it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import JaxprEqn, primitives

from jaxseq.ops.objective import LossContext, LossFn
from jaxseq.training.gradients import loss_gradients
from jaxseq.training.source_locations import function_is_library, is_backward, place_of
from jaxseq.training.state import PyTree, TrainState

_CALLS = {
    primitives.jit_p: "jaxpr",
    primitives.remat_p: "jaxpr",
    primitives.call_p: "call_jaxpr",
    primitives.closed_call_p: "call_jaxpr",
    primitives.custom_jvp_call_p: "call_jaxpr",
    primitives.custom_vjp_call_p: "call_jaxpr",
}
"""Primitives that call one function with their own operands, and the parameter that holds it."""


class Origin(NamedTuple):
    """How a value came not to be finite."""

    kind: str
    """"NaN" or "infinity"."""
    cause: str
    """The operation and its place in the source, or the input."""
    source: "Origin | None" = None
    """Of a NaN made of an infinity: how that came about."""

    def __str__(self) -> str:
        return f"{self.kind} from {self.cause}" + (f", given {self.source}" if self.source else "")


class Traced(NamedTuple):
    """A value in a run of a trace."""

    value: Any
    origin: Origin | None = None


class Around(NamedTuple):
    """What encloses an operation."""

    place: str | None = None
    """Where the function of a library that it is in was called, None outside of such."""
    backward: bool = False
    """Whether it is in something that belongs to a backward pass."""


def explain_nonfinite(loss_fn: LossFn, state: TrainState, batch: PyTree, devices: int = 1) -> str:
    """What made the first value that is not finite in the training step from `state` on `batch`.

    Args:
        devices: how many shared the batch; the share of each is looked at in turn.
    """
    step_key = jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(state.key)), state.step)
    for device in range(devices):
        carry, share = jax.tree.map(lambda leaf, i=device: np.array_split(leaf, devices)[i], (state.carry, batch))
        key = jax.random.fold_in(step_key, device) if devices > 1 else step_key

        def outputs(
            params: PyTree, collections: PyTree, carry: PyTree, share: PyTree, key: Array = key
        ) -> dict[str, PyTree]:
            variables, context = {"params": params, **collections}, LossContext(jnp.asarray(state.step), key)
            grads, (tallies, new_carry, changed) = loss_gradients(loss_fn, variables, carry, share, context)
            made = {"0 loss": tallies["loss"].total, "1 carry": new_carry, "2 collections": changed}
            return {**made, "3 gradient": grads}

        given = (state.params, state.collections, carry, share)
        trace = jax.make_jaxpr(outputs)(*given)
        named = jax.tree_util.tree_leaves_with_path(given)
        kinds = ("parameter ", "variable ", "carry ", "batch ")
        names = [kinds[path[0].idx] + jax.tree_util.keystr(path[1:]) for path, _ in named]
        inputs = [Traced(leaf, _origin(leaf, f"the {name}")) for name, (_, leaf) in zip(names, named, strict=True)]
        for result in _run(trace, inputs, Around()):  # in the order of the keys above
            if result.origin is not None:
                return str(result.origin)
    return "every operation is finite when run by itself: a sum overflows, or the compiled step is less precise"


def _run(function: Any, operands: list[Traced], around: Around) -> list[Traced]:
    """Runs a (closed) jaxpr."""
    jaxpr = getattr(function, "jaxpr", function)
    values = dict(zip(jaxpr.invars, operands, strict=True))
    values |= zip(jaxpr.constvars, map(Traced, getattr(function, "consts", ())), strict=True)

    def read(atom: Any) -> Traced:
        return Traced(atom.val) if hasattr(atom, "val") else values[atom]

    for equation in jaxpr.eqns:
        values |= zip(equation.outvars, _apply(equation, [read(atom) for atom in equation.invars], around), strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: JaxprEqn, operands: list[Traced], around: Around) -> list[Traced]:
    parameters = equation.primitive.get_bind_params(equation.params)
    results = equation.primitive.bind(*(operand.value for operand in operands), **parameters)
    if not equation.primitive.multiple_results:
        results = [results]
    bad = [_kind(result) for result in results]
    given = [operand.origin for operand in operands if operand.origin is not None]
    if not any(bad):  # an answer to "is it finite?" knows of whom: a NaN may be put back where one was taken out
        return [Traced(result, given[0] if given and result.dtype == bool else None) for result in results]
    first_nan = next((origin for origin in given if origin.kind == "NaN"), None)
    inside = _enter(equation, operands, around) if first_nan is None else None
    part = " in the gradient of" if around.backward or is_backward(equation) else " at"
    here = f"{equation.primitive.name}{part} {around.place or place_of(equation)}"

    def origin(i: int, kind: str | None) -> Origin | None:
        if kind is None:
            return None
        if inside is not None and (found := inside[i].origin) is not None:
            return found
        if kind == "NaN":
            return first_nan or Origin(kind, here, given[0] if given else None)
        return given[0] if given else Origin(kind, here)

    return [Traced(result, origin(i, kind)) for i, (result, kind) in enumerate(zip(results, bad, strict=True))]


def _enter(equation: JaxprEqn, operands: list[Traced], around: Around) -> list[Traced] | None:
    """Runs the function that an operation consists in; None where it consists in none."""
    parameters = equation.params
    around = around._replace(backward=around.backward or is_backward(equation))
    if equation.primitive in _CALLS:
        function = parameters[_CALLS[equation.primitive]]
        if around.place is None and function_is_library(function):
            around = around._replace(place=place_of(equation))
        return _run(function, operands, around)
    if equation.primitive is primitives.cond_p:
        return _run(parameters["branches"][int(operands[0].value)], operands[1:], around)
    if equation.primitive is primitives.while_p:
        split = parameters["cond_nconsts"]
        constants, rest = operands[:split], operands[split:]
        split = parameters["body_nconsts"]
        body_constants, state = rest[:split], rest[split:]
        while _run(parameters["cond_jaxpr"], constants + state, around)[0].value:
            state = _run(parameters["body_jaxpr"], body_constants + state, around)
        return state
    if equation.primitive is primitives.scan_p:
        return _scan(parameters, operands, around)
    return None


def _scan(parameters: dict[str, Any], operands: list[Traced], around: Around) -> list[Traced]:
    constants, states = parameters["num_consts"], parameters["num_carry"]
    state, scanned = operands[constants : constants + states], operands[constants + states :]
    rows: list[list[Traced]] = []
    order = range(parameters["length"])
    for i in reversed(order) if parameters["reverse"] else order:
        items = [Traced(x.value[i], x.origin if _kind(x.value[i]) else None) for x in scanned]
        results = _run(parameters["jaxpr"], operands[:constants] + state + items, around)
        state = results[:states]
        rows.append(results[states:])
    # Stacks are made by the scan itself; of the items only the first origin is wanted.
    return state + [
        Traced(None, next((x.origin for x in items if x.origin), None)) for items in zip(*rows, strict=True)
    ]


def _kind(value: Any) -> str | None:
    """ "NaN" if `value` holds one, else "infinity" if it holds one, else None."""
    if not jnp.issubdtype(jnp.result_type(value), jnp.inexact) or bool(jnp.isfinite(value).all()):
        return None
    return "NaN" if bool(jnp.isnan(value).any()) else "infinity"


def _origin(value: Any, cause: str) -> Origin | None:
    kind = _kind(value)
    return Origin(kind, cause) if kind else None
