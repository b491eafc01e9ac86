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

from typing import Any

import jax
import numpy as np
from law_cases import (
    ROWS,
    STEPS,
    TOLERANCE_BFLOAT16,
    Case,
    assert_close,
    assert_identical,
    assert_same,
    assert_zero,
    cotangents,
    law_of,
    start,
)
from nonfinite_laws import nonfinite_carry, nonfinite_input
from subjects import AtOnce, InChunks, OneByOne, Subject, plus, row


@law_of(examples=12)
def split(subject: Subject, case: Case) -> None:
    """Law 1: all tokens at once equal any chunks, the carry handed on."""
    inputs, carry = start(subject, case)
    chunks = InChunks(subject.at_once, case.chunks)
    assert_same(subject.at_once, chunks, subject.params, inputs, carry, case.mask, case.reset, seed=case.seed)


@law_of(examples=6)
def single_steps(subject: Subject, case: Case) -> None:
    """Law 1: the single steps that decoding takes, with weights prepared once, equal all tokens at once."""
    if subject.prepare is None or subject.step is None:
        return
    inputs, carry = start(subject, case)
    expected = subject.at_once.run(subject.params, inputs, carry, None, None)
    weights, outputs = subject.prepare(subject.params), []
    for i in range(STEPS):
        y, carry = subject.one_step(weights, inputs[:, i], carry)
        outputs.append(y)
    assert_close((np.stack(outputs, axis=1), carry), expected)


@law_of(examples=12)
def mask_and_reset(subject: Subject, case: Case) -> None:
    """Laws 2 and 3: with padding and resets anywhere, as if each row were read alone without its padding."""
    inputs, carry = start(subject, case)
    oracle = OneByOne(subject.at_once, subject.initial_carry)
    assert_same(subject.at_once, oracle, subject.params, inputs, carry, case.mask, case.reset, seed=case.seed)


@law_of(examples=12)
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


@law_of(examples=12)
def mask_whole_row(subject: Subject, case: Case) -> None:
    """Law 2: a row that is all padding returns the very carry it was given."""
    inputs, carry = start(subject, case)
    mask, reset = case.mask.copy(), case.reset.copy()
    mask[0], reset[0] = False, False
    _, after = subject.at_once.run(subject.params, inputs, carry, mask, reset)
    assert_identical(row(after, 0), row(carry, 0))


def _of_row_0(d: Any) -> Any:
    """Gradients of outputs and carry, fresh ones, with all but row 0 made zero."""
    for leaf in jax.tree.leaves(d):
        leaf[1:] = 0
    return d


@law_of(examples=12)
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
    later = [(np.asarray(y)[0, at:], row(carry, 0)) for y, carry in ((outputs, after), (outputs_other, after_other))]
    assert_close(*later)

    d = _of_row_0(cotangents(case.seed, (outputs, after)))
    d[0][:, :at] = 0
    _, d_inputs, d_carry = subject.at_once.pull(subject.params, inputs, carry, case.mask, reset, d)
    assert_zero(d_carry, "a gradient crosses the reset to the carry")
    before = jax.tree.map(lambda leaf: np.asarray(leaf)[:, :at], d_inputs)
    assert_zero(before, "a gradient crosses the reset to earlier inputs")


@law_of(examples=4)
def empty(subject: Subject, case: Case) -> None:
    """Law 1: no tokens give no outputs and the very carry they were given, whatever else is given."""
    inputs, carry = start(subject, case)
    none, flags = inputs[:, :0], np.zeros((ROWS, 0), bool)
    width = subject.at_once.run(subject.params, inputs, carry, case.mask, case.reset)[0].shape[2:]
    rest = ((None, None, None), (None, flags, flags), (carry, flags, None), (carry, None, flags), (carry, flags, flags))
    for before, mask, reset in rest:
        outputs, after = subject.at_once.run(subject.params, none, before, mask, reset)
        assert outputs.shape == (ROWS, 0, *width)
        assert_identical(after, subject.initial_carry(ROWS) if before is None else before)
        if subject.loss is not None:
            tallies, _ = subject.tallies(subject.params, none, none, before, mask, reset)
            assert jax.tree.leaves(tallies) == [0, 0, 0, 0]


@law_of(examples=12)
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

    d = _of_row_0(cotangents(case.seed, whole))
    _, *gradients = subject.at_once.pull(subject.params, *arguments, d)
    assert_zero(jax.tree.map(lambda leaf: np.asarray(leaf)[1:], gradients), "a gradient crosses into another row")


@law_of(examples=4)
def transforms(subject: Subject, case: Case) -> None:
    """Law 5: under vmap over one more axis, and rematerialised, the numbers are the same."""
    cases = (case, case._replace(mask=~case.mask, reset=~case.reset, seed=case.seed ^ 1))
    pairs = [(*start(subject, case), case.mask, case.reset) for case in cases]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *pairs)
    results = [subject.at_once.run(subject.params, *pair) for pair in pairs]
    expected = jax.tree.map(lambda *leaves: np.stack(leaves), *results)
    assert_close(subject.mapped.run(subject.params, *stacked), expected)
    d = cotangents(case.seed, expected)
    pulled = [
        subject.at_once.pull(subject.params, *pair, jax.tree.map(lambda leaf, i=i: leaf[i], d))
        for i, pair in enumerate(pairs)
    ]
    d_params, *d_rest = subject.mapped.pull(subject.params, *stacked, d)
    assert_close(d_params, plus(pulled[0][0], pulled[1][0]))
    assert_close(d_rest, jax.tree.map(lambda *leaves: np.stack(leaves), *(rest for _, *rest in pulled)))


@law_of(examples=1)
def eager(subject: Subject, case: Case) -> None:
    """Law 5: without jit the numbers are the same."""
    inputs, carry = start(subject, case)
    plain = AtOnce(subject.run, compiled=False)
    assert_same(plain, subject.at_once, subject.params, inputs, carry, case.mask, case.reset, seed=case.seed)


@law_of(examples=4)
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


@law_of(examples=6)
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


@law_of(examples=6)
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
    tallies, _ = subject.tallies(subject.params, *dirty, *rest)
    assert tallies["loss"].count == tallies["accuracy"].count == case.mask.sum()
    assert tallies["accuracy"].total == ((np.asarray(logits).argmax(-1) == targets) & case.mask).sum()


LAWS = (
    split,
    single_steps,
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
