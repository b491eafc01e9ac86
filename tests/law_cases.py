"""What the laws of the carry draw their examples from, and how they compare. See laws.py."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from subjects import Subject, Way, partition

ROWS, STEPS = 3, 6
CHUNKS = ((0, 2, 4), (4, 0, 2), (2, 2, 2, 0))  # few lengths, because each is compiled
TOLERANCE = 2e-5  # of the largest entry, float32
TOLERANCE_BFLOAT16 = 0.15  # of the largest entry; bfloat16 has 8 bits of mantissa, and 0.107 was met


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


def law_of(examples: int) -> Callable[[Callable[[Subject, Case], None]], Callable[[Subject], None]]:
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
        _, carry = subject.at_once.run(subject.params, subject.plain(subject.draw(rng, ROWS, STEPS)), carry, *flags)
    return subject.draw(rng, ROWS, STEPS), carry


def cotangents(seed: int, result: Any) -> Any:
    """Random gradients for the float leaves of (outputs, carry)."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: np.asarray(rng.normal(size=x.shape), x.dtype), partition(result)[0])


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


def assert_zero(gradient: Any, why: str) -> None:
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient)), why
