"""The laws of the carry where something is not finite. They are among those of laws.py."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from law_cases import ROWS, STEPS, Case, assert_close, assert_identical, cotangents, law_of, start
from subjects import Subject, partition, row, with_row


def _spoilt(carry: Any, value: float) -> Any:
    """`carry` with row 0 of its floats all `value`."""
    return jax.tree.map(
        lambda leaf: with_row(leaf, 0, value) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf, carry
    )


def assert_untouched(
    subject: Subject, spoilt: tuple[Any, ...], clean: tuple[Any, ...], flags: Any, seed: int, reached: Any
) -> None:
    """(params, inputs, carry) with something that is not finite give what clean ones give, gradients included, but for
    what it reaches: `reached` is True there, in (outputs, carry)."""

    def rest(result: Any) -> Any:
        return jax.tree.map(lambda leaf, at: np.where(at, np.zeros_like(leaf), leaf), partition(result)[0], reached)

    expected = subject.at_once.run(*clean, *flags)
    assert_close(rest(subject.at_once.run(*spoilt, *flags)), rest(expected))
    d = rest(cotangents(seed, expected))
    assert_close(subject.at_once.pull(*spoilt, *flags, d), subject.at_once.pull(*clean, *flags, d))


def reached(result: Any, *, steps: Any, columns: Any, carry: bool) -> Any:
    """The tree that `assert_untouched` takes: outputs of row 0 at `steps` [t] or `columns` [v], and its carry."""
    outputs, after = partition(result)[0]
    first = np.arange(ROWS) == 0
    where = (first[:, None] & steps)[..., None] | np.broadcast_to(columns, outputs.shape[-1])
    return where, jax.tree.map(lambda leaf: (first & carry).reshape(-1, *[1] * (leaf.ndim - 1)), after)


@law_of(examples=8)
def nonfinite_carry(subject: Subject, case: Case) -> None:
    """Laws 2 and 3: a carry of NaN or infinity reaches neither what follows a reset nor, under a row that is all
    padding, anything at all: no output, no gradient, no loss."""
    inputs, carry = start(subject, case)
    bad = _spoilt(carry, [np.nan, np.inf, -np.inf][case.seed % 3])
    clean, spoilt = (subject.params, inputs, carry), (subject.params, inputs, bad)
    at = case.seed // 3 % STEPS
    reset = case.reset.copy()
    reset[0] = np.arange(STEPS) == at
    result = subject.at_once.run(*clean, case.mask, reset)
    where = reached(result, steps=np.arange(STEPS) < at, columns=False, carry=False)
    assert_untouched(subject, spoilt, clean, (case.mask, reset), case.seed, where)

    mask = case.mask.copy()
    mask[0], reset[0] = False, False
    where = reached(result, steps=np.zeros(STEPS, bool), columns=False, carry=True)
    assert_untouched(subject, spoilt, clean, (mask, reset), case.seed, where)
    _, after = subject.at_once.run(*spoilt, mask, reset)
    assert_identical(row(after, 0), row(bad, 0))
    if subject.loss is not None:
        losses = [subject.summed_loss.run(subject.params, (inputs, inputs), c, mask, reset) for c in (bad, carry)]
        assert_identical(losses[0][0], losses[1][0])
        d = cotangents(case.seed, losses[1])
        pulled = [subject.summed_loss.pull(subject.params, (inputs, inputs), c, mask, reset, d) for c in (bad, carry)]
        assert_close(pulled[0][0], pulled[1][0])


@law_of(examples=8)
def nonfinite_input(subject: Subject, case: Case) -> None:
    """Laws 1 and 4: an input that is not finite, by itself or by its row of the embedding, reaches no earlier position,
    no other row and nothing after a reset, in values or gradients; where it counts it is seen."""
    inputs, carry = start(subject, case)
    at = case.seed % STEPS
    mask = case.mask.copy()
    mask[0, at] = True
    params, clean, spoilt, columns = subject.spoil(inputs, (0, at), [np.nan, np.inf, -np.inf][case.seed // STEPS % 3])
    later = np.flatnonzero(case.reset[0, at + 1 :])
    until = at + 1 + later[0] if len(later) else STEPS
    arguments = (subject.params, clean, carry), (mask, case.reset)
    result = subject.at_once.run(*arguments[0], *arguments[1])
    steps = (np.arange(STEPS) >= at) & (np.arange(STEPS) < until)
    where = reached(result, steps=steps, columns=columns, carry=not len(later))
    assert_untouched(subject, (params, spoilt, carry), *arguments, case.seed, where)

    params, _, spoilt, _ = subject.spoil(inputs, (0, at), np.nan)
    d = cotangents(case.seed, result)
    d_params, _, _ = subject.at_once.pull(params, spoilt, carry, mask, case.reset, d)
    assert not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(d_params)), "a NaN that counts is hidden"
