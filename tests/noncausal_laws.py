"""The laws of the carry for what reads a text both ways, and what they are checked on. See laws.py.

Not among them are those of causal models alone: the split of a text into chunks, and that what follows has no part in
what went before. A reset parts two texts in one row, and neither knows of the other. A subject that keeps no carry and
takes no resets, as it declares, is checked without them.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import laws
import numpy as np
from law_cases import STEPS, Case, assert_same, law_of, start
from nonfinite_laws import assert_untouched, reached
from subjects import AtOnce, Run, Subject, Way, partition, perturbed, plus, row, stack_rows, with_row

from jaxseq.nn.bidirectional import Bidirectional, BidirectionalCarry


class Alone:
    """The oracle: each text alone, without padding, mask and resets."""

    def __init__(self, at_once: Way, initial_carry: Callable[[int], Any]) -> None:
        self.at_once, self.initial = at_once, initial_carry(1)

    def _reads(self, inputs: Any, carry: Any, mask: Any, reset: Any) -> Iterator[tuple[Any, ...]]:
        """(row, places, text [1, n, ...], carry before it), and whether the row's carry is in it forward, backward."""
        for b in range(len(inputs)):
            texts, own = _texts(mask[b], reset[b]), row(carry, b)
            for k, real in enumerate(texts):
                given = (k == 0 and not reset[b, 0], k == len(texts) - 1)
                yield b, real, inputs[b : b + 1, real], _of_both(self.initial, own, given), given

    def run(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        rows, after = [None] * len(inputs), [None] * len(inputs)
        for b, real, text, begin, _ in self._reads(inputs, carry, mask, reset):
            y, end = self.at_once.run(params, text, begin, None, None)
            rows[b] = np.zeros((1, STEPS, *y.shape[2:]), y.dtype) if rows[b] is None else rows[b]
            rows[b][:, real] = y
            # Of the forward carries the last stays, of the backward ones the first.
            after[b] = end if after[b] is None else _of_both(after[b], end, (True, False))
        return np.concatenate(rows), stack_rows(after)

    def pull(self, params: Any, inputs: Any, carry: Any, mask: Any, reset: Any, d: Any) -> Any:
        zeros = functools.partial(jax.tree.map, np.zeros_like)
        d_params, d_inputs = zeros(params), None if partition(inputs)[0] is None else np.zeros_like(inputs)
        d_carries = [zeros(row(carry, b)) for b in range(len(inputs))]
        seen = set()
        for b, real, text, begin, given in self._reads(inputs, carry, mask, reset):
            d_end = _of_both(zeros(begin), row(d[1], b), (given[1], b not in seen))
            seen.add(b)
            d_here, d_text, d_begin = self.at_once.pull(params, text, begin, None, None, (d[0][b : b + 1, real], d_end))
            d_params = plus(d_params, d_here)
            d_carries[b] = _of_both(d_carries[b], d_begin, given)
            if d_inputs is not None:
                d_inputs[b, real] = d_text[0]
        return d_params, d_inputs, stack_rows(d_carries)


def _of_both(carry: Any, other: Any, chosen: tuple[bool, bool]) -> Any:
    """`carry` with the directions that are `chosen` taken from the other one; an empty one as it is."""
    if not carry:
        return carry
    return BidirectionalCarry(*(two if take else one for one, two, take in zip(carry, other, chosen, strict=True)))


def one_way_each(layer: Bidirectional) -> AtOnce:
    """Each direction by itself: the backward layer is one like the forward one, that gets the text from its end."""

    def run(params: Any, x: Any, carry: Any, mask: None, reset: None) -> tuple[Any, Any]:
        ahead, forward = layer.forward.apply({"params": params["forward"]}, x, carry.forward)
        back, backward = layer.backward.apply({"params": params["backward"]}, x[:, ::-1], carry.backward)
        return jnp.concatenate([ahead, back[:, ::-1]], axis=-1), BidirectionalCarry(forward, backward)

    return AtOnce(run)


def _texts(mask: np.ndarray, reset: np.ndarray) -> Sequence[np.ndarray]:
    """Places of the real tokens of each text in a row."""
    cuts = np.flatnonzero(reset[1:]) + 1
    return [piece[mask[piece]] for piece in np.split(np.arange(STEPS), cuts)]


@law_of(examples=8)
def mask_and_reset(subject: Subject, case: Case) -> None:
    """Laws 2 and 3: with padding and resets anywhere, as if each text were read alone without its padding."""
    inputs, carry = start(subject, case)
    case = case if subject.takes_reset else case._replace(reset=np.zeros_like(case.reset))
    arguments = (subject.params, inputs, carry, case.mask, case.reset)
    assert_same(subject.at_once, Alone(subject.at_once, subject.initial_carry), *arguments, seed=case.seed)


@law_of(examples=8)
def nonfinite_input(subject: Subject, case: Case) -> None:
    """Law 4: an input that is not finite, by itself or by its row of the embedding, reaches no other text, in values or
    gradients; at its own place it is seen."""
    inputs, carry = start(subject, case)
    at = case.seed % STEPS
    mask = case.mask.copy()
    mask[0, at] = True
    reset = case.reset if subject.takes_reset else np.zeros_like(case.reset)
    params, clean, spoilt, _ = subject.spoil(inputs, (0, at), [np.nan, np.inf, -np.inf][case.seed // STEPS % 3])
    text = np.cumsum(reset[0])
    arguments = (subject.params, clean, carry), (mask, reset)
    result = subject.at_once.run(*arguments[0], *arguments[1])
    # The forward carry comes from the last text, the backward one from the first.
    where = reached(result, steps=text == text[at], columns=False, carry=text[at] in (text[0], text[-1]))
    assert_untouched(subject, (params, spoilt, carry), *arguments, case.seed, where)

    outputs, _ = subject.at_once.run(params, spoilt, carry, mask, reset)
    assert not np.isfinite(np.asarray(outputs[0, at], np.float32)).all(), "what is not finite is hidden where it counts"


LAWS = (
    mask_and_reset,
    laws.mask_content,
    laws.mask_whole_row,
    nonfinite_input,
    laws.empty,
    laws.batch,
    laws.transforms,
    laws.eager,
    laws.bfloat16,
    laws.defaults,
)


def of_bidirectional(name: str, layer: Bidirectional, in_bfloat16: Bidirectional, *, features: int) -> Subject:
    """A layer that reads both ways: x [b, t, features] in."""

    def run(layer: Any, params: Any, x: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        return layer.apply({"params": params}, x, carry, mask=mask, reset=reset)

    def spoil(x: np.ndarray, place: tuple[int, int], value: float) -> tuple[Any, np.ndarray, np.ndarray, Any]:
        spoilt = x.copy()
        spoilt[place] = value
        return params, x, spoilt, False

    initial = jax.jit(layer.init)(jax.random.key(0), jnp.zeros((1, 2, features), jnp.float32))
    params = perturbed(initial["params"], 0.3)
    return Subject(
        name=name,
        params=params,
        run=functools.partial(run, layer),
        initial_carry=layer.initial_carry,
        draw=lambda rng, b, t: rng.normal(size=(b, t, features)).astype(np.float32),
        rubbish=lambda rng, b, t: rng.choice(np.array([np.nan, np.inf, -np.inf], np.float32), (b, t, features)),
        spoil=spoil,
        run_bfloat16=functools.partial(run, in_bfloat16),
    )


def of_body(
    name: str, body: Any, *, table: Sequence[str], scale: float = 0.3, collections: Mapping[str, Any] | None = None
) -> Subject:
    """A body without a carry: tokens [b, t] in, features [b, t, d] out; `table` is the path of its embedding,
    `collections` are its variables that are no parameters."""
    size = body.vocabulary_size

    def run(body: Any, params: Any, tokens: Any, carry: Any, mask: Any, reset: Any) -> tuple[Any, Any]:
        del reset
        return body.apply({"params": params, **(collections or {})}, tokens, carry, mask=mask)

    def spoil(tokens: np.ndarray, place: tuple[int, int], value: float) -> tuple[Any, np.ndarray, np.ndarray, Any]:
        """The last word's row of the embedding."""
        tokens = np.where(tokens == size - 1, 0, tokens)
        tokens[place] = size - 1
        return _with_row(params, table, size - 1, value), tokens, tokens, False

    def rubbish(rng: np.random.Generator, b: int, t: int) -> np.ndarray:
        return rng.choice(np.array([-1, -(2**31), size, 2**31 - 1], np.int32), (b, t))

    params = perturbed(jax.jit(body.init)(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"], scale)
    narrow: Run = functools.partial(run, body.clone(dtype=jnp.bfloat16))
    return Subject(
        name=name,
        params=params,
        run=functools.partial(run, body),
        initial_carry=body.initial_carry,
        draw=lambda rng, b, t: rng.integers(0, size, (b, t), dtype=np.int32),
        rubbish=rubbish,
        spoil=spoil,
        run_bfloat16=narrow,
        takes_reset=False,
    )


def _with_row(params: Any, path: Sequence[str], at: int, value: float) -> Any:
    if not path:
        return with_row(params, at, value)
    return {**params, path[0]: _with_row(params[path[0]], path[1:], at, value)}


def direction(subject: Subject, layer: Bidirectional) -> None:
    """Law 6: a forward layer on the reversed real tokens, its outputs reversed, is the backward layer, whatever the
    padding, and its final state is that after the first real token."""
    oracle = Alone(one_way_each(layer), subject.initial_carry)

    @law_of(examples=8)
    def law(subject: Subject, case: Case) -> None:
        inputs, carry = start(subject, case)
        arguments = (subject.params, inputs, carry, case.mask, case.reset)
        assert_same(subject.at_once, oracle, *arguments, seed=case.seed)

    law(subject)
