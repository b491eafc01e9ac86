"""The five laws of the carry, checkable on anything that maps (inputs, carry) to (outputs, carry).

A test module makes `Subject`s (subjects.of_model, subjects.of_layer) and runs every law on each:

    @pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
    @pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
    def test_the_carry_keeps_its_laws(subject, law):
        law(subject)

Each law draws its own cases with hypothesis and compares outputs, new carry and gradients, these with respect to
parameters, carry and (where they are floats) inputs. The oracle of most is `OneByOne`: every row on its own, one
token at a time, with no mask and no reset at all. A reset acts wherever it stands, on padding too: the row starts from
the initial carry there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from subjects import AtOnce, InChunks, OneByOne, Subject, Way, partition, plus, row

ROWS, STEPS = 3, 6
CHUNKS = ((0, 2, 4), (4, 0, 2), (2, 2, 2, 0))  # few lengths, because each is compiled
TOLERANCE = 2e-5  # of the largest entry, float32
TOLERANCE_BFLOAT16 = 0.1  # of the largest entry; bfloat16 has 8 bits of mantissa


class Case(NamedTuple):
    """One example: mask and reset [b, t], lengths of chunks, whether the carry is used, a seed for all the rest."""

    mask: np.ndarray
    reset: np.ndarray
    chunks: tuple[int, ...]
    warm: bool
    seed: int


def cases() -> st.SearchStrategy[Case]:
    """Left, right, interior and whole-row padding; no, one or several resets a row; cold and warm carries."""
    right = st.integers(0, STEPS).map(lambda n: [True] * n + [False] * (STEPS - n))
    left = st.integers(0, STEPS).map(lambda n: [False] * (STEPS - n) + [True] * n)
    interior = st.lists(st.booleans(), min_size=STEPS, max_size=STEPS)
    masks = st.one_of(st.just([True] * STEPS), right, left, interior)
    resets = st.sets(st.integers(0, STEPS - 1), max_size=2).map(lambda at: [i in at for i in range(STEPS)])
    return st.builds(
        Case,
        mask=st.lists(masks, min_size=ROWS, max_size=ROWS).map(np.array),
        reset=st.lists(resets, min_size=ROWS, max_size=ROWS).map(np.array),
        chunks=st.sampled_from(CHUNKS),
        warm=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
    )


def _law(examples: int) -> Callable[[Callable[[Subject, Case], None]], Callable[[Subject], None]]:
    """Turn check(subject, case) into law(subject), which draws the cases."""

    def decorate(check: Callable[[Subject, Case], None]) -> Callable[[Subject], None]:
        def law(subject: Subject) -> None:
            @settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))
            @given(case=cases())
            def every_case(case: Case) -> None:
                check(subject, case)

            every_case()

        law.__name__, law.__doc__ = check.__name__, check.__doc__
        return law

    return decorate


def start(subject: Subject, case: Case) -> tuple[np.ndarray, Any]:
    """Inputs [b, t, ...] and the carry before them: initial, or what earlier tokens, resets and padding left."""
    rng = np.random.default_rng(case.seed)
    carry = subject.initial_carry(ROWS)
    if case.warm:
        flags = rng.random((ROWS, STEPS)) < 0.8, rng.random((ROWS, STEPS)) < 0.1
        _, carry = subject.at_once.run(subject.params, subject.draw(rng, ROWS, STEPS), carry, *flags)
    return subject.draw(rng, ROWS, STEPS), carry


def cotangents(seed: int, result: Any) -> Any:
    """Random gradients for the float leaves of (outputs, carry)."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), partition(result)[0])


def assert_close(actual: Any, expected: Any, *, tolerance: float = TOLERANCE) -> None:
    """Same tree, integers equal, floats finite and within `tolerance` of the largest entry (or of 1, if larger)."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    paths = jax.tree_util.tree_leaves_with_path(expected)
    for (path, want), have in zip(paths, jax.tree.leaves(actual), strict=True):
        where = jax.tree_util.keystr(path)
        assert have.shape == want.shape, f"{where}: shape {have.shape}, expected {want.shape}"
        if not jnp.issubdtype(want.dtype, jnp.inexact):
            np.testing.assert_array_equal(have, want, err_msg=where)
            continue
        want, have = np.asarray(want, np.float64), np.asarray(have, np.float64)
        assert np.isfinite(have).all(), f"{where}: not finite"
        worst = np.abs(have - want).max(initial=0) / max(1.0, np.abs(want).max(initial=0))
        assert worst <= tolerance, f"{where}: off by {worst:.2e} of the largest entry, allowed {tolerance:.0e}"


def assert_identical(actual: Any, expected: Any) -> None:
    """Same tree, bit for bit."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for have, want in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(np.asarray(have), np.asarray(want))


def assert_same(one: Way, other: Way, *arguments: Any, seed: int, other_arguments: Any = None) -> None:
    """Outputs, new carry and gradients agree for (params, inputs, carry, mask, reset)."""
    other_arguments = other_arguments or arguments
    expected = other.run(*other_arguments)
    assert_close(one.run(*arguments), expected)
    d = cotangents(seed, expected)
    d_params, d_inputs, d_carry = one.pull(*arguments, d)
    expected_params, expected_inputs, expected_carry = other.pull(*other_arguments, d)
    assert_close((d_params, d_inputs), (expected_params, expected_inputs))
    if arguments[2] is not None:
        assert_close(d_carry, expected_carry)


def _assert_zero(gradient: Any, why: str) -> None:
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient)), why


@_law(examples=12)
def split(subject: Subject, case: Case) -> None:
    """Law 1: all tokens at once equal any chunks, the carry handed on."""
    inputs, carry = start(subject, case)
    chunks = InChunks(subject.at_once, case.chunks)
    assert_same(subject.at_once, chunks, subject.params, inputs, carry, case.mask, case.reset, seed=case.seed)


@_law(examples=12)
def mask_and_reset(subject: Subject, case: Case) -> None:
    """Laws 2 and 3: with padding and resets anywhere, as if each row were read alone without its padding."""
    inputs, carry = start(subject, case)
    oracle = OneByOne(subject.at_once, subject.initial_carry)
    assert_same(subject.at_once, oracle, subject.params, inputs, carry, case.mask, case.reset, seed=case.seed)


@_law(examples=12)
def mask_content(subject: Subject, case: Case) -> None:
    """Law 2: what padding holds, NaN and out-of-range ids included, changes no bit of any output or gradient."""
    clean, carry = start(subject, case)
    at = case.mask.reshape(case.mask.shape + (1,) * (clean.ndim - 2))
    dirty = np.where(at, clean, subject.rubbish(np.random.default_rng(case.seed), ROWS, STEPS))
    rest = (carry, case.mask, case.reset)
    expected = subject.at_once.run(subject.params, clean, *rest)
    result = subject.at_once.run(subject.params, dirty, *rest)
    assert_identical(result, expected)
    assert all(np.isfinite(np.asarray(leaf, np.float32)).all() for leaf in jax.tree.leaves(result))
    assert not np.asarray(result[0])[~case.mask].any(), "padding has an output that is not 0"
    d = cotangents(case.seed, expected)
    gradient = subject.at_once.pull(subject.params, dirty, *rest, d)
    assert_close(gradient, subject.at_once.pull(subject.params, clean, *rest, d), tolerance=0.0)


@_law(examples=12)
def mask_whole_row(subject: Subject, case: Case) -> None:
    """Law 2: a row that is all padding returns the very carry it was given."""
    inputs, carry = start(subject, case)
    mask, reset = case.mask.copy(), case.reset.copy()
    mask[0], reset[0] = False, False
    _, after = subject.at_once.run(subject.params, inputs, carry, mask, reset)
    assert_identical(row(after, 0), row(carry, 0))


@_law(examples=12)
def reset_forgets(subject: Subject, case: Case) -> None:
    """Law 3: nothing before a reset reaches its row after it, in values or gradients; other rows never notice."""
    inputs, carry = start(subject, case)
    at = case.seed % STEPS
    reset = case.reset.copy()
    reset[0] = False
    without = subject.at_once.run(subject.params, inputs, carry, case.mask, reset)
    reset[0, at] = True
    outputs, after = subject.at_once.run(subject.params, inputs, carry, case.mask, reset)
    for b in range(1, ROWS):
        assert_identical(row((outputs, after), b), row(without, b))

    other = inputs.copy()
    other[0, :at] = subject.draw(np.random.default_rng(case.seed + 1), 1, STEPS)[0, :at]
    outputs_other, after_other = subject.at_once.run(
        subject.params, other, subject.initial_carry(ROWS), case.mask, reset
    )
    assert_close((outputs[0, at:], row(after, 0)), (outputs_other[0, at:], row(after_other, 0)))

    d_outputs, d_after = jax.tree.map(lambda leaf: leaf.at[1:].set(0), cotangents(case.seed, (outputs, after)))
    d = (d_outputs.at[:, :at].set(0), d_after)
    _, d_inputs, d_carry = subject.at_once.pull(subject.params, inputs, carry, case.mask, reset, d)
    _assert_zero(d_carry, "a gradient crosses the reset to the carry")
    _assert_zero(jax.tree.map(lambda leaf: leaf[:, :at], d_inputs), "a gradient crosses the reset to earlier inputs")


def _spoilt(carry: Any, value: float) -> Any:
    """`carry` with row 0 of its floats all `value`."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf).at[0].set(value) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf, carry
    )


def _assert_untouched(
    subject: Subject, spoilt: tuple[Any, ...], clean: tuple[Any, ...], flags: Any, seed: int, reached: Any
) -> None:
    """(params, inputs, carry) with something that is not finite give what clean ones give, gradients included, but for
    what it reaches: `reached` is True there, in (outputs, carry)."""

    def rest(result: Any) -> Any:
        return jax.tree.map(lambda leaf, at: jnp.where(at, 0, leaf), partition(result)[0], reached)

    expected = subject.at_once.run(*clean, *flags)
    assert_close(rest(subject.at_once.run(*spoilt, *flags)), rest(expected))
    d = rest(cotangents(seed, expected))
    assert_close(subject.at_once.pull(*spoilt, *flags, d), subject.at_once.pull(*clean, *flags, d))


def _reached(result: Any, *, steps: Any, columns: Any, carry: bool) -> Any:
    """The tree that `_assert_untouched` takes: outputs of row 0 at `steps` [t] or `columns` [v], and its carry."""
    outputs, after = partition(result)[0]
    first = np.arange(ROWS) == 0
    where = (first[:, None] & steps)[..., None] | np.broadcast_to(columns, outputs.shape[-1])
    return where, jax.tree.map(lambda leaf: (first & carry).reshape(-1, *[1] * (leaf.ndim - 1)), after)


@_law(examples=8)
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
    reached = _reached(result, steps=np.arange(STEPS) < at, columns=False, carry=False)
    _assert_untouched(subject, spoilt, clean, (case.mask, reset), case.seed, reached)

    mask = case.mask.copy()
    mask[0], reset[0] = False, False
    reached = _reached(result, steps=np.zeros(STEPS, bool), columns=False, carry=True)
    _assert_untouched(subject, spoilt, clean, (mask, reset), case.seed, reached)
    _, after = subject.at_once.run(*spoilt, mask, reset)
    assert_identical(row(after, 0), row(bad, 0))
    if subject.loss is not None:
        losses = [subject.summed_loss.run(subject.params, (inputs, inputs), c, mask, reset) for c in (bad, carry)]
        assert_identical(losses[0][0], losses[1][0])
        d = cotangents(case.seed, losses[1])
        pulled = [subject.summed_loss.pull(subject.params, (inputs, inputs), c, mask, reset, d) for c in (bad, carry)]
        assert_close(pulled[0][0], pulled[1][0])


@_law(examples=8)
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
    reached = _reached(result, steps=steps, columns=columns, carry=not len(later))
    _assert_untouched(subject, (params, spoilt, carry), *arguments, case.seed, reached)

    params, _, spoilt, _ = subject.spoil(inputs, (0, at), np.nan)
    d = cotangents(case.seed, result)
    d_params, _, _ = subject.at_once.pull(params, spoilt, carry, mask, case.reset, d)
    assert not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(d_params)), "a NaN that counts is hidden"


@_law(examples=4)
def empty(subject: Subject, case: Case) -> None:
    """Law 1: no tokens give no outputs and the very carry they were given, whatever else is given."""
    inputs, carry = start(subject, case)
    none, flags = inputs[:, :0], np.zeros((ROWS, 0), bool)
    width = subject.at_once.run(subject.params, inputs, carry, case.mask, case.reset)[0].shape[2:]
    for before in (None, carry):
        for mask, reset in ((None, None), (flags, None), (None, flags), (flags, flags)):
            outputs, after = subject.at_once.run(subject.params, none, before, mask, reset)
            assert outputs.shape == (ROWS, 0, *width)
            assert_identical(after, subject.initial_carry(ROWS) if before is None else before)
            if subject.loss is not None:
                tallies, _ = subject.loss(subject.params, none, none, before, mask, reset)
                assert jax.tree.leaves(tallies) == [0, 0, 0, 0]


@_law(examples=12)
def batch(subject: Subject, case: Case) -> None:
    """Law 4: a row depends neither on what is in the others nor on how many there are."""
    inputs, carry = start(subject, case)
    assert all(leaf.shape[0] == ROWS for leaf in jax.tree.leaves(carry)), "a leaf of the carry lacks the batch axis"
    arguments = (inputs, carry, case.mask, case.reset)
    whole = subject.at_once.run(subject.params, *arguments)
    others = (*start(subject, case._replace(seed=case.seed ^ 1)), ~case.mask, ~case.reset)
    mixed = jax.tree.map(lambda mine, theirs: np.concatenate([mine[:1], theirs[1:]]), arguments, others)
    assert_identical(row(subject.at_once.run(subject.params, *mixed), 0), row(whole, 0))
    assert_close(subject.at_once.run(subject.params, *row(arguments, 0)), row(whole, 0))

    d = jax.tree.map(lambda leaf: leaf.at[1:].set(0), cotangents(case.seed, whole))
    _, *gradients = subject.at_once.pull(subject.params, *arguments, d)
    _assert_zero(jax.tree.map(lambda leaf: leaf[1:], gradients), "a gradient crosses into another row")


@_law(examples=4)
def transforms(subject: Subject, case: Case) -> None:
    """Law 5: under vmap over one more axis, and rematerialised, the numbers are the same."""
    cases = (case, case._replace(mask=~case.mask, reset=~case.reset, seed=case.seed ^ 1))
    pairs = [(*start(subject, case), case.mask, case.reset) for case in cases]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *pairs)
    results = [subject.at_once.run(subject.params, *pair) for pair in pairs]
    expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *results)
    assert_close(subject.mapped.run(subject.params, *stacked), expected)
    d = cotangents(case.seed, expected)
    pulled = [
        subject.at_once.pull(subject.params, *pair, jax.tree.map(lambda leaf, i=i: leaf[i], d))
        for i, pair in enumerate(pairs)
    ]
    d_params, *d_rest = subject.mapped.pull(subject.params, *stacked, d)
    assert_close(d_params, plus(pulled[0][0], pulled[1][0]))
    assert_close(d_rest, jax.tree.map(lambda *leaves: jnp.stack(leaves), *(rest for _, *rest in pulled)))


@_law(examples=1)
def eager(subject: Subject, case: Case) -> None:
    """Law 5: without jit the numbers are the same."""
    inputs, carry = start(subject, case)
    plain = AtOnce(subject.run, compiled=False)
    assert_same(plain, subject.at_once, subject.params, inputs, carry, case.mask, case.reset, seed=case.seed)


@_law(examples=4)
def bfloat16(subject: Subject, case: Case) -> None:
    """Law 5: computing in bfloat16 gives the same numbers within TOLERANCE_BFLOAT16, and carries on in one type."""
    if subject.run_bfloat16 is None:
        return
    inputs, carry = start(subject, case._replace(warm=False))
    arguments = (inputs, carry, case.mask, case.reset)
    expected = subject.at_once.run(subject.params, *arguments)
    outputs, after = subject.in_bfloat16.run(subject.params, *arguments)
    assert_close((outputs, after), expected, tolerance=TOLERANCE_BFLOAT16)
    _, again = subject.in_bfloat16.run(subject.params, inputs, after, case.mask, case.reset)
    assert [leaf.dtype for leaf in jax.tree.leaves(again)] == [leaf.dtype for leaf in jax.tree.leaves(after)]
    gradient, _, _ = subject.in_bfloat16.pull(subject.params, *arguments, cotangents(case.seed, (outputs, after)))
    wanted, _, _ = subject.at_once.pull(subject.params, *arguments, cotangents(case.seed, expected))
    assert_close(gradient, wanted, tolerance=TOLERANCE_BFLOAT16)


@_law(examples=6)
def defaults(subject: Subject, case: Case) -> None:
    """What is left out means: the initial carry, no padding, no reset."""
    inputs, _ = start(subject, case)
    initial, real, none = subject.initial_carry(ROWS), np.ones((ROWS, STEPS), bool), np.zeros((ROWS, STEPS), bool)
    for short, full in (
        ((None, None, None), (initial, real, none)),
        ((None, case.mask, None), (initial, case.mask, none)),
        ((None, None, case.reset), (initial, real, case.reset)),
    ):
        arguments = (subject.params, inputs, *short)
        other = (subject.params, inputs, *full)
        assert_same(subject.at_once, subject.at_once, *arguments, other_arguments=other, seed=case.seed)


@_law(examples=6)
def loss(subject: Subject, case: Case) -> None:
    """The loss of a language model is the cross-entropy of its logits over the tokens that are no padding."""
    if subject.loss is None:
        return
    rng = np.random.default_rng(case.seed + 2)
    tokens, carry = start(subject, case)
    targets = subject.draw(rng, ROWS, STEPS)
    clean = (tokens, targets)
    dirty = tuple(np.where(case.mask, ids, subject.rubbish(rng, ROWS, STEPS)) for ids in clean)
    rest = (carry, case.mask, case.reset)
    for pair in (clean, dirty):
        assert_same(
            subject.summed_loss,
            subject.cross_entropy,
            subject.params,
            pair,
            *rest,
            other_arguments=(subject.params, clean, *rest),
            seed=case.seed,
        )
    logits, _ = subject.at_once.run(subject.params, tokens, *rest)
    tallies, _ = subject.loss(subject.params, *dirty, *rest)
    assert tallies["loss"].count == tallies["accuracy"].count == case.mask.sum()
    assert tallies["accuracy"].total == ((np.asarray(logits).argmax(-1) == targets) & case.mask).sum()


LAWS = (
    split,
    mask_and_reset,
    mask_content,
    mask_whole_row,
    reset_forgets,
    nonfinite_carry,
    nonfinite_input,
    empty,
    batch,
    transforms,
    eager,
    bfloat16,
    defaults,
    loss,
)
