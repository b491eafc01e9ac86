"""Run a recurrent cell over time: masks, resets and a backward pass written for speed.

What makes it faster than scanning a cell under autodiff (measured, see docs/carry.md):

- The forward scan saves the activated gates; the backward scan only carries the state's gradient and emits the
  gates' gradients. Weight gradients are one matrix product per chunk of time instead of one per step.
- Time goes in chunks: gate gradients, weight gradient and input gradient of a chunk stay in cache.
- Token inputs are rows of a table of gate pre-activations, gathered inside the scan; its gradient is a scatter-add.

Mask and reset are part of the same scans and cost next to nothing. Padding is kept out by `where`, never by a product,
so NaN in it reaches neither values nor gradients. Only reverse-mode differentiation is defined.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Float32, Int

from jaxseq.ops.cells import Cell, RecurrentWeights, State
from jaxseq.ops.shapes import Array, is_open

CHUNK = 10
"""Steps per chunk; 5 to 20 measured alike."""


class DenseInput(NamedTuple):
    """Input vectors: x times kernel plus bias."""

    x: Float[Array, "b t d"]
    kernel: Float[Array, "d g"]
    bias: Float[Array, " g"] | None = None


class TokenInput(NamedTuple):
    """Token ids that choose rows of the table, each times its scale where given, plus bias."""

    ids: Int[Array, "b t"]
    table: Float[Array, "v g"]
    bias: Float[Array, " g"] | None = None
    scale: Float[Array, "b t"] | None = None


def run(
    cell: Cell,
    inputs: DenseInput | TokenInput,
    weights: RecurrentWeights,
    carry: State,
    *,
    mask: Bool[Array, "b t"] | None = None,
    reset: Bool[Array, "b t"] | None = None,
    state_dropout: Float[Array, "b f"] | None = None,
    reverse: bool = False,
    chunk: int = CHUNK,
    guard: bool = True,
) -> tuple[Float32[Array, "b t f"], State]:
    """Outputs and the carry after the last step.

    Args:
        mask: Where False the carry passes through and the output is zero.
        reset: Where True the row starts from a zero carry before this step.
        state_dropout: Factor on the state in the recurrent product, the same at every step.
        reverse: From the last step to the first, so that the one before a step is the one behind it, and the carry is
            that after the first.
        guard: Whether a state that is not finite is kept from the gradient of a loss that it does not reach; where
            every step counts in the loss, there is none such.
    """
    if not (inputs.ids if isinstance(inputs, TokenInput) else inputs.x).shape[1]:
        return jnp.zeros((len(carry[0]), 0, carry[0].shape[-1]), jnp.float32), tuple(carry)
    if isinstance(inputs, TokenInput):
        ids = inputs.ids if mask is None else jnp.where(mask, inputs.ids, 0)
        weights_in = (inputs.table, inputs.bias)
        stream = (_time_major(ids), None if inputs.scale is None else _time_major(inputs.scale))
        source = _TokenSource()
    else:
        x = inputs.x if mask is None else jnp.where(mask[:, :, None], inputs.x, 0)
        weights_in, stream, source = (inputs.kernel, inputs.bias), _time_major(x), _DenseSource()
    flags = _Flags(*(None if flag is None else _time_major(flag)[:, :, None] for flag in (mask, reset)))
    how = _How(cell, source, chunk, guard, reverse)
    result: Any = _recur(how, weights_in, stream, weights, tuple(carry), flags, state_dropout)
    h, carry = result
    outputs = h if flags.mask is None else jnp.where(flags.mask, h, 0)
    return _time_major(outputs), carry


def _time_major(x: Array) -> Array:
    return jnp.swapaxes(x, 0, 1)


class _Flags(NamedTuple):
    mask: Array | None
    reset: Array | None


class _Chunks(NamedTuple):
    """A tree of [t, ...] cut along time."""

    whole: Any = None
    """Leaves [t // chunk, chunk, ...]; None where there is not one chunk."""
    rest: Any = None
    """Leaves [t % chunk, ...], the last steps, all of them where t is open; None where none are left over."""


class _DenseSource(NamedTuple):
    """stream: x [t, b, d]; projected for a whole chunk at once."""

    def prepare(self, weights: Any, stream: Array) -> Array:
        kernel, bias = weights
        projected = jnp.matmul(stream.astype(kernel.dtype), kernel, preferred_element_type=jnp.float32)
        return projected if bias is None else projected + bias

    def project(self, weights: Any, prepared: Array) -> Array:
        return prepared

    def accumulate(self, weights: Any, gradient: Any, stream: Array, d: Array) -> tuple[Any, Array]:
        kernel, bias = weights
        flat = d.reshape(-1, d.shape[-1])
        x = stream.reshape(-1, stream.shape[-1])
        d_kernel = lax.dot_general(
            x.astype(kernel.dtype),
            flat.astype(kernel.dtype),
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )
        d_bias = None if bias is None else gradient[1] + flat.sum(0)
        d_x = jnp.matmul(d.astype(kernel.dtype), kernel.T, preferred_element_type=jnp.float32)
        return (gradient[0] + d_kernel, d_bias), d_x.astype(stream.dtype)


class _TokenSource(NamedTuple):
    """stream: (ids [t, b], scale [t, b] or None); rows are gathered step by step."""

    def prepare(self, weights: Any, stream: Any) -> Any:
        return stream

    def project(self, weights: Any, prepared: Any) -> Array:
        (table, bias), (ids, scale) = weights, prepared
        rows = jnp.asarray(table)[ids].astype(jnp.float32)  # NumPy's, as a checkpoint has them, know no tracers
        rows = rows if scale is None else rows * scale[:, None]
        return rows if bias is None else rows + bias

    def accumulate(self, weights: Any, gradient: Any, stream: Any, d: Array) -> tuple[Any, Any]:
        (_, bias), (ids, scale) = weights, stream
        rows = d if scale is None else d * scale[..., None]
        d_table = gradient[0].at[ids].add(rows)
        d_bias = None if bias is None else gradient[1] + d.sum((0, 1))
        # The scale is a dropout mask and the ids are integers: nobody asks for their gradients.
        return (d_table, d_bias), (None, None)


def _select(flag: Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(flag, a, b), yes, no)


def _before(state: tuple[Array, ...], reset: Array | None) -> tuple[Array, ...]:
    """The state a step starts from, or those of many steps."""
    return state if reset is None else tuple(jnp.where(reset, 0, part) for part in state)


def _dropped(h: Array, state_dropout: Array | None) -> Array:
    return h if state_dropout is None else h * state_dropout


def _in_chunks(tree: Any, chunk: int) -> _Chunks:
    def whole(x: Array) -> Array:
        n = len(x) // chunk
        return x[: n * chunk].reshape(n, chunk, *x.shape[1:])

    length = jax.tree.leaves(tree)[0].shape[0]
    if is_open(length):
        return _Chunks(rest=tree)
    return _Chunks(
        jax.tree.map(whole, tree) if length >= chunk else None,
        jax.tree.map(lambda x: x[len(x) - len(x) % chunk :], tree) if length % chunk else None,
    )


def _joined(chunks: _Chunks) -> Any:
    """Leaves [t, ...] again."""
    if chunks.whole is None:
        return chunks.rest
    whole = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), chunks.whole)
    return whole if chunks.rest is None else jax.tree.map(lambda *x: jnp.concatenate(x), whole, chunks.rest)


def _scan_chunks(run_chunk: Callable[..., Any], carry: Any, *xs: _Chunks, reverse: bool) -> tuple[Any, _Chunks]:
    """`lax.scan` over chunks: `run_chunk` takes the carry and a tuple, of each of `xs` one chunk."""
    results = {}
    for part in ("rest", "whole") if reverse else ("whole", "rest"):
        given = tuple(getattr(x, part) for x in xs)
        if given[0] is not None:
            run = run_chunk if part == "rest" else partial(lax.scan, run_chunk, reverse=reverse)
            carry, results[part] = run(carry, given)
    return carry, _Chunks(**results)


class _How(NamedTuple):
    """What is known when compiling."""

    cell: Cell
    source: _DenseSource | _TokenSource
    chunk: int
    guard: bool
    reverse: bool


def _forward(how, weights_in, stream, weights, carry, flags, state_dropout):
    """States after every step [t, b, f], the last one, and what the backward pass needs."""

    def step(state, xs):
        prepared, (mask, reset) = xs
        before = _before(state, reset)
        projected = how.source.project(weights_in, prepared)
        after, saved = how.cell.forward(weights, projected, before, _dropped(before[0], state_dropout))
        after = after if mask is None else _select(mask, after, before)
        return after, (after, saved)

    def run_chunk(state, xs):
        ((stream, flags),) = xs
        prepared = how.source.prepare(weights_in, stream)
        end, (states, saved) = lax.scan(step, state, (prepared, flags), reverse=how.reverse)
        return end, (state, states, saved)

    end, kept = _scan_chunks(run_chunk, carry, _in_chunks((stream, flags), how.chunk), reverse=how.reverse)
    h = _joined(_Chunks(*(None if part is None else part[1][0] for part in kept)))
    return h, end, kept


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _recur(how, weights_in, stream, weights, carry, flags, state_dropout):
    h, carry, _ = _forward(how, weights_in, stream, weights, carry, flags, state_dropout)
    return h, carry


def _recur_forward(how, weights_in, stream, weights, carry, flags, state_dropout):
    h, end, kept = _forward(how, weights_in, stream, weights, carry, flags, state_dropout)
    return (h, end), (kept, end, weights_in, stream, weights, flags, state_dropout)


def _counts(d_h: Array, d_carry: State, end: State, reset: Array | None, reverse: bool) -> Array:
    """[t, b, 1] bool: False only where nothing that the step's state reaches has a gradient.

    There the step's own gradient is zero, even if its values are not finite. Where all are finite that comes out by
    itself and is not asked: without a reset, what is not finite stays to the end.
    """

    def asked() -> Array:
        def step(counts: Array, xs: tuple[Array, Array | None]) -> tuple[Array, Array]:
            own, reset = xs
            counts = counts | own
            return (counts if reset is None else counts & ~reset), counts

        own = (d_h != 0).any(axis=-1, keepdims=True)
        last = jnp.stack([(part != 0).any(axis=-1, keepdims=True) for part in d_carry]).any(axis=0)
        return lax.scan(step, last, (own, reset), reverse=not reverse)[1]

    if reset is not None:
        return asked()
    finite = jnp.stack([jnp.isfinite(part).all() for part in end]).all()
    return lax.cond(finite, lambda: jnp.ones((*d_h.shape[:2], 1), bool), asked)


def _finite(x: Array) -> Array:
    """Zeros for what is not finite. It is multiplied by the gradient of a step, which is zero or NaN there."""
    return jnp.where(jnp.isfinite(x), x, 0)


def _shifted(states: Array, start: Array, *, reverse: bool) -> Array:
    """What each of the steps with `states` [n, b, f] after them began with, the first of them with `start`."""
    pieces = [states[1:], start[None]] if reverse else [start[None], states[:-1]]
    return jnp.concatenate(pieces)


def _recur_backward(how, residuals, gradients):
    cell, source, chunk, guard, reverse = how
    kept, end, weights_in, stream, weights, flags, state_dropout = residuals
    d_h, d_carry = gradients

    counts = _counts(d_h, d_carry, end, flags.reset, reverse) if guard else None
    # Of padding what x makes of the gates is kept too, and may be anything.
    clean = _finite if guard or flags.mask is not None else lambda x: x

    def step(d_state, xs):
        d_output, counted, saved, state, after, (mask, reset) = xs
        d_state = (d_state[0] + d_output, *d_state[1:])
        before = _before(state, reset)
        d_after = d_state if mask is None else _select(mask, d_state, jax.tree.map(jnp.zeros_like, d_state))
        h = _dropped(before[0], state_dropout)
        d_gates, d_before, d_recurrent = cell.backward(weights, saved, before, h, after, d_after)
        d_before = (d_before[0] + _dropped(d_recurrent, state_dropout), *d_before[1:])
        used = mask if counted is None else counted if mask is None else counted & mask
        if used is not None:
            d_gates = jnp.where(used, d_gates, 0)
            d_before = _select(used, d_before, d_state)
        return _before(d_before, reset), d_gates

    def run_chunk(loop, xs):
        d_state, d_weights, d_weights_in = loop
        (d_h, counts, stream, flags), (start, states, saved) = xs
        previous = jax.tree.map(partial(_shifted, reverse=reverse), states, start)
        d_state, d_gates = lax.scan(step, d_state, (d_h, counts, saved, previous, states, flags), reverse=not reverse)
        h = _dropped(_before(previous, flags.reset)[0], state_dropout)
        steps, batch = d_gates.shape[:2]
        flat = [x.reshape(steps * batch, x.shape[-1]) for x in (clean(saved), clean(h), d_gates)]
        d_recurrent, d_projected = cell.weight_gradient(weights, *flat)
        d_projected = d_projected.reshape(steps, batch, d_projected.shape[-1])
        if flags.mask is not None:
            d_projected = jnp.where(flags.mask, d_projected, 0)
        d_weights_in, d_stream = source.accumulate(weights_in, d_weights_in, jax.tree.map(clean, stream), d_projected)
        return (d_state, jax.tree.map(jnp.add, d_weights, d_recurrent), d_weights_in), d_stream

    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.float32), (weights, weights_in))
    loop = (d_carry, *zeros)
    xs = _in_chunks((d_h, counts, stream, flags), chunk)
    (d_state, d_weights, d_weights_in), d_streams = _scan_chunks(run_chunk, loop, xs, kept, reverse=not reverse)
    typed = jax.tree.map(lambda d, w: d.astype(w.dtype), (d_weights_in, d_weights), (weights_in, weights))
    return typed[0], _joined(d_streams), typed[1], d_state, None, None


_recur.defvjp(_recur_forward, _recur_backward)
