"""Sampling as pure functions of logits, a step and a key.

One uniform number decides a token, by the inverse of the cumulative distribution. Those of all steps are drawn before
the loop; that of row b at position i depends on (key, b, i) alone. So a sample does not depend on the pieces it is made
in, and a row neither on the number of rows nor on what the others are, but for the rounding of the model's own
arithmetic at another batch size.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxseq.decoding.filters import Filters, Sampling, filter_logits, relative_probabilities
from jaxseq.decoding.protocol import StepFn

NO_TOKEN = -1
"""Stands for a token that cannot be chosen, as no number may be made of the logits."""


def sample_tokens(
    step_fn: StepFn,
    logits: Array,
    carry: Any,
    key: Array,
    *,
    length: int,
    sampling: Sampling | Filters,
    start: Array | int = 0,
    count: Array | int | None = None,
) -> tuple[Array, Array, Any]:
    """Samples a token from logits [b, v], reads it with `step_fn`, and so on, in one loop; to be called under jit.

    Args:
        logits: those of the first token to sample.
        carry: the one that came with them.
        length: size of the result's time axis.
        start: position of the first token in the sample, where an earlier call has made the tokens before it.
        count: tokens to sample, 1 to `length`, which they are by default; it may be traced.

    Returns:
        tokens [b, length] int32, zero from `count` on; the logits [b, v] float32 after the last one, and the carry.
        NO_TOKEN where the logits, or these over the temperature, are not finite (see `usable`); what follows it in its
        row means nothing.
    """
    rows, size = logits.shape
    filters = Filters.of(sampling, vocabulary_size=size) if isinstance(sampling, Sampling) else sampling
    choose = _chooser(filters, key, rows=rows, start=start, length=length)

    # Tokens go round, not logits: there is less to carry.
    def body(i: Array, state: tuple[Array, Array, Any]) -> tuple[Array, Array, Any]:
        made, tokens, carry = state
        logits, carry = step_fn(tokens, carry)
        tokens = choose(i, logits)
        return made.at[i].set(tokens), tokens, carry

    first = choose(0, logits)
    made = jnp.zeros((length, rows), jnp.int32).at[0].set(first)
    made, tokens, carry = jax.lax.fori_loop(1, length if count is None else count, body, (made, first, carry))
    logits, carry = step_fn(tokens, carry)
    return made.T, logits.astype(jnp.float32), carry


class Samples(NamedTuple):
    """Samples that end: each with its tokens up to `<end>`, or to its maximum length."""

    tokens: Array
    """[b, t] int32, `<end>` among them; the padding id behind."""
    lengths: Array
    """[b] int32, `<end>` counts."""
    log_probabilities: Array
    """[b] float32: the sum over these tokens, of the model's own distribution, before any filter."""
    ended: Array
    """[b] bool: with `<end>`, not cut at the maximum length."""


def sample_to_end(
    step_fn: StepFn,
    logits: Array,
    carry: Any,
    key: Array,
    *,
    length: int,
    sampling: Sampling | Filters,
    end: Array | int,
    max_length: Array,
    padding: Array | int,
) -> Samples:
    """Samples each row from logits [b, v] until it has chosen `end`; to be called under jit.

    Its tokens are those that `sample_tokens` makes of the same key. A row that has ended changes no more; where all
    have, the loop ends.

    Args:
        length: size of the result's time axis.
        max_length: most tokens of each row, [b] int32, from 1 to `length`.

    Returns:
        The samples. Where the logits are not usable a row holds NO_TOKEN and ends.
    """
    rows, size = logits.shape
    filters = Filters.of(sampling, vocabulary_size=size) if isinstance(sampling, Sampling) else sampling
    choose = _chooser(filters, key, rows=rows, start=0, length=length)

    def add(i: Array | int, logits: Array, samples: Samples, going: Array) -> tuple[Samples, Array]:
        logits = logits.astype(jnp.float32)
        tokens = choose(i, logits)
        chosen = jnp.take_along_axis(logits, jnp.maximum(tokens, 0)[:, None], axis=-1)[:, 0]
        gains = jnp.minimum(chosen - jax.nn.logsumexp(logits, axis=-1), 0)
        is_end = going & (tokens == end)
        lengths = samples.lengths + going
        samples = Samples(
            samples.tokens.at[i].set(jnp.where(going, tokens, padding)),
            lengths,
            samples.log_probabilities + jnp.where(going, gains, 0),
            samples.ended | is_end,
        )
        return samples, going & ~is_end & (tokens != NO_TOKEN) & (lengths < max_length)

    def body(state: tuple[Array, Samples, Array, Any]) -> tuple[Array, Samples, Array, Any]:
        i, samples, going, carry = state
        logits, carry = step_fn(jnp.maximum(samples.tokens[i - 1], 0), carry)
        return i + 1, *add(i, logits, samples, going), carry

    none = Samples(
        jnp.full((length, rows), padding, jnp.int32),
        jnp.zeros(rows, jnp.int32),
        jnp.zeros(rows, jnp.float32),
        jnp.zeros(rows, jnp.bool_),
    )
    samples, going = add(0, logits, none, jnp.ones(rows, jnp.bool_))
    state = (jnp.int32(1), samples, going, carry)
    _, samples, _, _ = jax.lax.while_loop(lambda state: jnp.any(state[2]), body, state)
    return samples._replace(tokens=samples.tokens.T)


def _chooser(
    filters: Filters, key: Array, *, rows: int, start: Array | int, length: int
) -> Callable[[Array | int, Array], Array]:
    """From (i, logits [b, v]) to the tokens [b] at position start + i."""
    noise = None if filters.scale is None else position_noise(key, rows=rows, start=start, length=length)

    def choose(i: Array | int, logits: Array) -> Array:
        logits = filter_logits(logits, filters)
        return likeliest(logits) if noise is None else draw(logits, noise[i])

    return choose


def usable(logits: Array) -> Array:
    """Whether logits [..., v] say what comes next: [...] bool.

    They do where the highest is finite: none is NaN or infinite, but for tokens ruled out with -inf, and not all are.
    """
    return jnp.isfinite(logits.max(axis=-1))


def likeliest(logits: Array) -> Array:
    """Tokens [b] int32 with the highest of logits [b, v], of several the lowest; NO_TOKEN where they are not usable."""
    size = logits.shape[-1]
    highest = logits.max(axis=-1, keepdims=True)
    # Twice as fast as argmax, which XLA does not vectorise on a CPU.
    token = jnp.min(jnp.where(logits == highest, jnp.arange(size, dtype=jnp.int32), size), axis=-1)
    return jnp.where(jnp.isfinite(highest[..., 0]), token, NO_TOKEN)


def position_noise(key: Array, *, rows: int, start: Array | int, length: int) -> Array:
    """Uniform numbers [length, rows] in (0, 1) for positions from `start` on, each made from (key, row, position).

    That the number of rows does not enter is a property of `jax_threefry_partitionable`, which is JAX's default.
    """
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(
        key, jnp.asarray(start, jnp.int32) + jnp.arange(length, dtype=jnp.int32)
    )
    numbers = jax.vmap(lambda key: jax.random.uniform(key, (rows,), jnp.float32))(keys)
    return numbers + 2.0**-24  # from [0, 1) in steps of 2^-23 to the middle of each step: never 0


def draw(logits: Array, uniform: Array) -> Array:
    """Tokens [b] int32 with the probabilities softmax(logits [b, v]), chosen by uniform [b] in (0, 1).

    First the block of about sqrt(v) tokens is found in which the cumulative distribution passes `uniform`, then the
    token in that block: cumulative sums are short, and rounding errors small. A token of probability 0 is never chosen.
    Where the logits are not usable it is NO_TOKEN.
    """
    rows, size = logits.shape
    width = 1 << (max(size - 1, 1).bit_length() + 1) // 2
    mass = jnp.pad(relative_probabilities(logits), ((0, 0), (0, -size % width))).reshape(rows, -1, width)
    blocks = mass.sum(-1)
    total = blocks.sum(-1)
    target = uniform * total
    block = _passed_at(blocks, target)
    target -= jnp.sum(jnp.where(jnp.arange(blocks.shape[1]) < block[:, None], blocks, 0), axis=-1)
    within = jnp.take_along_axis(mass, block[:, None, None], axis=1)[:, 0]
    # Of logits that are not usable the sum is NaN: it is at hand, their maximum would have to be looked at once more.
    return jnp.where(jnp.isnan(total), NO_TOKEN, block * width + _passed_at(within, target))


def _passed_at(mass: Array, target: Array) -> Array:
    """For each row of mass [b, n] the first index with mass at which the cumulative sum passes target [b].

    The last index with mass, where rounding keeps the sum from passing it.
    """
    size = mass.shape[-1]
    index = jnp.arange(size, dtype=jnp.int32)
    passed = (mass > 0) & (jnp.cumsum(mass, axis=-1) > target[:, None])
    first = jnp.min(jnp.where(passed, index, size), axis=-1)
    last = jnp.max(jnp.where(mass > 0, index, 0), axis=-1)
    return jnp.minimum(first, last)
