"""From a model, its parameters and a prompt to tokens: all at once, or as they are made."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

from jaxseq.decoding.beginning import as_rows, begin, check_length, power_of_two
from jaxseq.decoding.filters import PLAIN, Filters, Sampling
from jaxseq.decoding.protocol import AutoregressiveModel
from jaxseq.decoding.sampling import NO_TOKEN, sample_tokens, usable
from jaxseq.errors import NonFiniteError

_FIRST_CHUNK, _LARGEST_CHUNK = 4, 64
"""Tokens in the first chunk of a stream, so that there is something to show at once, and in the largest."""


def generate(
    model: AutoregressiveModel, params: Any, prompt: ArrayLike, *, length: int, key: Array, sampling: Sampling = PLAIN
) -> NDArray[np.int32]:
    """Tokens [b, length] that go on from prompt [b, t], or tokens [length] from a prompt [t].

    They depend on the parameters, the prompt and the key alone, and are those that `stream` yields. Rows with the same
    prompt differ by their noise. Many rows are shared among the devices that JAX has. Calls compile anew only for
    another model, batch size or choice of filters (not for their numbers), and when the lengths of prompt or sample
    pass a power of two.

    Raises:
        ValueError: the prompt holds no token, something else than tokens, or one that the model does not know; or the
            length is below 1.
        NonFiniteError: logits that a token must be chosen from are NaN or infinite, or all are -inf. (Single tokens may
            be ruled out with -inf.)
    """
    rows = as_rows(prompt)
    check_length(length)
    weights, logits, carry = begin(model, params, rows)
    filters = Filters.of(sampling, vocabulary_size=logits.shape[-1])
    tokens, _, _ = _sample(model, weights, logits, carry, key, 0, length, filters, capacity=power_of_two(length))
    tokens = np.asarray(tokens)[:, :length]
    _check_chosen(tokens, prompt)
    return tokens.reshape(*np.shape(prompt)[:-1], length)


def stream(
    model: AutoregressiveModel, params: Any, prompt: ArrayLike, *, length: int, key: Array, sampling: Sampling = PLAIN
) -> Iterator[NDArray[np.int32]]:
    """The tokens of `generate` in chunks [b, n], or [n] for a prompt [t], as they are made; the first chunks are small.

    Raises:
        ValueError: as `generate`, at the call, not when the first chunk is asked for.
        NonFiniteError: as `generate`, when the chunk is asked for.
    """
    rows = as_rows(prompt)
    check_length(length)
    weights, logits, carry = begin(model, params, rows)
    filters = Filters.of(sampling, vocabulary_size=logits.shape[-1])
    return _chunks(model, weights, logits, carry, key, length, filters, prompt)


def next_tokens(
    model: AutoregressiveModel, params: Any, prompt: ArrayLike, *, count: int, forbidden: Sequence[int] = ()
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The `count` likeliest tokens after prompt [b, t], likeliest first, and their probabilities: both [b, count].

    For a prompt [t] both are [count]. There are fewer where the vocabulary is smaller. Of equally likely tokens the one
    with the lower id comes first. Those `forbidden` are passed over; the others keep the probabilities that the model
    gives them.

    Raises:
        ValueError: as `generate`, of `count`.
        NonFiniteError: as `generate`, of the logits after the prompt.
    """
    rows = as_rows(prompt)
    check_length(count)
    _, logits, _ = begin(model, params, rows)
    _check_chosen(np.where(usable(logits), 0, NO_TOKEN)[:, None], prompt)
    logits = np.asarray(logits, np.float64)
    probabilities = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities /= probabilities.sum(-1, keepdims=True)
    allowed = np.delete(np.arange(probabilities.shape[-1]), list(forbidden))
    ids = allowed[np.argsort(-probabilities[:, allowed], axis=-1, kind="stable")[:, :count]]
    shape = (*np.shape(prompt)[:-1], ids.shape[-1])
    return ids.astype(np.int32).reshape(shape), np.take_along_axis(probabilities, ids, axis=-1).reshape(shape)


def _chunks(
    model: AutoregressiveModel,
    weights: Any,
    logits: Array,
    carry: Any,
    key: Array,
    length: int,
    filters: Filters,
    prompt: ArrayLike,
) -> Iterator[NDArray[np.int32]]:
    made, chunk = 0, _FIRST_CHUNK
    while made < length:
        count = min(chunk, length - made)
        tokens, logits, carry = _sample(
            model, weights, logits, carry, key, made, count, filters, capacity=_LARGEST_CHUNK
        )
        tokens = np.asarray(tokens)[:, :count]
        _check_chosen(tokens, prompt, before=made)
        yield tokens.reshape(*np.shape(prompt)[:-1], count)
        made += count
        chunk = min(2 * chunk, _LARGEST_CHUNK)


@partial(jax.jit, static_argnums=0, static_argnames="capacity")
def _sample(
    model: AutoregressiveModel,
    weights: Any,
    logits: Array,
    carry: Any,
    key: Array,
    start: Array | int,
    count: Array | int,
    filters: Filters,
    *,
    capacity: int,
) -> tuple[Array, Array, Any]:
    step_fn = partial(model.decode_step, weights)
    return sample_tokens(step_fn, logits, carry, key, length=capacity, sampling=filters, start=start, count=count)


def _check_chosen(tokens: NDArray[np.integer], prompt: ArrayLike, *, before: int = 0) -> None:
    """Raises NonFiniteError where a row of tokens [b, n], `before` of which were made earlier, holds NO_TOKEN."""
    at = (tokens == NO_TOKEN).argmax(axis=1)
    bad = np.flatnonzero(tokens[np.arange(len(tokens)), at] == NO_TOKEN)
    if not len(bad):
        return
    row = bad[at[bad].argmin()]
    where = f" in row {row}" if len(tokens) > 1 else ""
    given, made = np.shape(prompt)[-1], before + int(at[row])
    raise NonFiniteError(
        f"the model gives logits that are not finite{where} after {given + made} token{'s' * (given + made > 1)} "
        f"({given} of the prompt, {made} sampled): its training has diverged; take an earlier checkpoint, or train "
        "with a lower learning rate"
    )
