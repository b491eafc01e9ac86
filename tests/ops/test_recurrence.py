"""The recurrence against a plain Python loop over its cell under autodiff, chunk by chunk."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from minimal_gated import MinimalGatedCell

from jaxseq.ops import cells, recurrence
from jaxseq.ops.recurrence import DenseInput, TokenInput

BATCH, DEPTH, FEATURES, VOCABULARY = 3, 5, 7, 11


class PlainLSTMCell(cells.AutodiffCell):
    """The LSTM without its backward pass by hand."""

    GATES = cells.LSTMCell.GATES
    STATE = cells.LSTMCell.STATE

    def advance(self, weights, projected, state, h):
        return cells.LSTMCell().forward(weights, projected, state, h)[0]


CELLS = {
    "lstm": cells.LSTMCell(),
    "lstm_by_autodiff": PlainLSTMCell(),
    "minimal_gated": MinimalGatedCell(),
    "gru": cells.GRUCell(),
    "gru_reset_before": cells.GRUResetBeforeCell(),
    "simple": cells.SimpleCell(),
}


def in_a_loop(cell, inputs, weights, carry, mask, reset, state_dropout):
    if isinstance(inputs, DenseInput):
        projected = inputs.x @ inputs.kernel + inputs.bias
    else:
        projected = inputs.table[inputs.ids] * inputs.scale[..., None] + inputs.bias
    outputs = []
    for i in range(projected.shape[1]):
        before = tuple(jnp.where(reset[:, i, None], 0, part) for part in carry)
        after, _ = cell.forward(weights, projected[:, i], before, before[0] * state_dropout)
        keep = mask[:, i, None]
        carry = tuple(jnp.where(keep, new, old) for new, old in zip(after, before, strict=True))
        outputs.append(jnp.where(keep, carry[0], 0))
    return jnp.stack(outputs, 1), carry


@pytest.mark.parametrize("kind", ["dense", "tokens"])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("steps", "chunk"), [(7, 3), (6, 3), (2, 5)])
def test_values_and_gradients_equal_those_of_a_loop(name, kind, steps, chunk):
    rng = np.random.default_rng(steps)
    cell = CELLS[name]
    width = len(cell.GATES) * FEATURES

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    weights = cells.RecurrentWeights(normal(FEATURES, width) * 0.4, normal(width) if name == "gru" else None)
    carry = tuple(normal(BATCH, FEATURES) for _ in cell.STATE)
    mask, reset = rng.random((BATCH, steps)) < 0.7, rng.random((BATCH, steps)) < 0.2
    state_dropout = normal(BATCH, FEATURES)
    if kind == "dense":
        floats, build = (normal(BATCH, steps, DEPTH), normal(DEPTH, width), normal(width)), DenseInput
    else:
        ids, scale = jnp.asarray(rng.integers(0, VOCABULARY, (BATCH, steps)), jnp.int32), normal(BATCH, steps)
        floats = (normal(VOCABULARY, width), normal(width))

        def build(table, bias):
            return TokenInput(ids, table, bias, scale)

    d_outputs, d_carry = normal(BATCH, steps, FEATURES), tuple(normal(BATCH, FEATURES) for _ in carry)

    def objective(run):
        def total(floats, weights, carry):
            outputs, end = run(build(*floats), weights, carry)
            ends = sum((part * d).sum() for part, d in zip(end, d_carry, strict=True))
            return (outputs * d_outputs).sum() + ends, (outputs, end)

        return jax.jit(jax.grad(total, argnums=(0, 1, 2), has_aux=True))(floats, weights, carry)

    expected = objective(lambda *a: in_a_loop(cell, *a, mask, reset, state_dropout))
    result = objective(
        lambda *a: recurrence.run(cell, *a, mask=mask, reset=reset, state_dropout=state_dropout, chunk=chunk)
    )
    for have, want in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["dense", "tokens"])
@pytest.mark.parametrize("steps", [7, 6, 2])
def test_in_reverse_it_is_itself_on_what_is_turned_round(kind, steps):
    rng = np.random.default_rng(steps)

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    weights, carry = cells.RecurrentWeights(normal(FEATURES, 4 * FEATURES)), (normal(BATCH, FEATURES),) * 2
    mask, reset = rng.random((BATCH, steps)) < 0.7, rng.random((BATCH, steps)) < 0.2
    ids = jnp.asarray(rng.integers(0, VOCABULARY, (BATCH, steps)), jnp.int32)
    floats = (
        (normal(BATCH, steps, DEPTH), normal(DEPTH, 4 * FEATURES), normal(4 * FEATURES))
        if kind == "dense"
        else (normal(BATCH, steps), normal(VOCABULARY, 4 * FEATURES), normal(4 * FEATURES))
    )
    d_outputs, d_end = normal(BATCH, steps, FEATURES), normal(BATCH, FEATURES)

    def objective(turned):
        turn = (lambda x: x[:, ::-1]) if turned else (lambda x: x)

        def total(floats, weights, carry):
            first, kernel, bias = floats
            first = turn(first)
            inputs = DenseInput(first, kernel, bias)
            if kind == "tokens":
                # Of the scale nobody asks for the gradient.
                inputs = TokenInput(turn(ids), kernel, bias, jax.lax.stop_gradient(first))
            outputs, end = recurrence.run(
                cells.LSTMCell(),
                inputs,
                weights,
                carry,
                mask=turn(mask),
                reset=turn(reset),
                reverse=not turned,
                chunk=3,
            )
            outputs = turn(outputs)
            return (outputs * d_outputs).sum() + sum((part * d_end).sum() for part in end), (outputs, end)

        return jax.jit(jax.grad(total, argnums=(0, 1, 2), has_aux=True))(floats, weights, carry)

    for have, want in zip(jax.tree.leaves(objective(False)), jax.tree.leaves(objective(True)), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-5)
