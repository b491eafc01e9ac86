"""Beam search as a pure function of logits and a step, on device from the first token to the last.

At every step the hypotheses of a row that go on, up to k, are continued by every token. The k best of these candidates
by log-probability are the beam (of equals the one that continues the better hypothesis comes first, then the one with
the higher logit, then the lower id). Those of them that end are found; k that do not end go on, the next best in place
of those that ended. A row is done where

- all k of its beam end (with k = 1 that is a greedy search), or those that go on have reached the maximum length;
- nothing that goes on can score above the last of the n best found: see `Rules.bound`.

Found hypotheses are ranked by score, and only the n best kept. A row that is done has nothing that goes on, and nothing
of it changes any more. The best bound of all that was left out is kept: what scores no lower is certified.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxseq.decoding.beam import Rows, Rules
from jaxseq.decoding.hypotheses import Found, Hypotheses, traced_back
from jaxseq.decoding.protocol import Conditioned, StepFn, repeat_rows, take_rows
from jaxseq.decoding.top_tokens import top_tokens

SOUND = -1
"""In place of a time: all logits of a row were usable."""


class _Beams(NamedTuple):
    """Where the search stands after `time` tokens; k is 1 before the first."""

    time: Array
    scores: Array
    """[b, k]: log-probabilities of the hypotheses that go on, best first; -inf where there is none."""
    made: Array
    """[b, k] int32: their last tokens."""
    parents: Array
    """[b, k] int32: the places in the last beam of what they continue."""
    history: Array | None
    """[b, k, T] int32: all their tokens, where these decide what may follow."""
    coverage: Array | None
    """[b, k, s]: attention that the source got from the tokens before."""
    found: Found
    left_out: Array
    """[b]: what nothing that was left out can score above."""
    unusable: Array
    """[b] int32: tokens made when logits were not finite, or SOUND."""


def search(
    step_fn: StepFn, logits: Array, carry: Any, *, size: int, n_best: int, no_repeat: int, rules: Rules, rows: Rows,
    padding: Array | int,
) -> tuple[Hypotheses, Array]:  # fmt: skip
    """The n best hypotheses that begin with a token by logits [b, v]; to be called under jit.

    Args:
        carry: the one that came with the logits, of b rows.
        size: k.

    Returns:
        The hypotheses, T being `rules.capacity`, and [b] int32: how many tokens a row had when its logits were not
        usable (see `jaxseq.decoding.sampling.usable`), from where on it was not searched; SOUND elsewhere.
    """
    b, capacity = len(logits), rules.capacity
    one = jnp.zeros((b, 1), jnp.int32)
    beams = _Beams(
        time=jnp.int32(0),
        scores=jnp.zeros((b, 1), jnp.float32),
        made=one,
        parents=one,
        history=jnp.zeros((b, 1, capacity), jnp.int32) if no_repeat else None,
        coverage=None if rules.coverage is None else jnp.zeros((b, 1, _attention(carry).shape[-1]), jnp.float32),
        found=Found.none(b, n_best),
        left_out=jnp.full(b, -jnp.inf, jnp.float32),
        unusable=jnp.full(b, SOUND, jnp.int32),
    )

    def advance(beams: _Beams, logits: Array, carry: Any) -> _Beams:
        attention = None if rules.coverage is None else _attention(carry).reshape(*beams.scores.shape, -1)
        logits = logits.astype(jnp.float32).reshape(*beams.scores.shape, -1)
        return _advance(beams, logits, attention, size=size, no_repeat=no_repeat, rules=rules, rows=rows)

    def body(state: tuple[_Beams, Any, Array, Array]) -> tuple[_Beams, Any, Array, Array]:
        beams, carry, tokens, parents = state
        logits, carry = step_fn(beams.made.reshape(-1), take_rows(carry, _flat(beams.parents, size)))
        beams = advance(beams, logits, carry)
        at = beams.time - 1
        return beams, carry, tokens.at[at].set(beams.made), parents.at[at].set(beams.parents)

    def goes_on(state: tuple[_Beams, Any, Array, Array]) -> Array:
        beams = state[0]
        return (beams.time < capacity) & jnp.any(beams.scores > -jnp.inf)

    beams = advance(beams, logits, carry)
    carry = repeat_rows(carry, size)
    tokens = jnp.zeros((capacity, b, size), jnp.int32).at[0].set(beams.made)
    # The first parents are all 0, the carry being that of k rows by now; each place continues itself.
    beams = beams._replace(parents=jnp.broadcast_to(jnp.arange(size, dtype=jnp.int32), (b, size)))
    start = (beams, carry, tokens, jnp.zeros_like(tokens))
    beams, _, tokens, parents = jax.lax.while_loop(goes_on, body, start)
    found = beams.found
    hypotheses = Hypotheses(
        traced_back(found, tokens, parents, padding=padding),
        found.lengths,
        found.scores,
        found.log_probabilities,
        found.ended,
        (found.scores > -jnp.inf) & (found.scores >= beams.left_out[:, None]),
    )
    return hypotheses, beams.unusable


def _advance(
    beams: _Beams, logits: Array, attention: Array | None, *, size: int, no_repeat: int, rules: Rules, rows: Rows
) -> _Beams:
    """One more token, by logits [b, k, v]."""
    b, places, _ = logits.shape
    time, most = beams.time, jnp.asarray(rows.max_length)
    length = time + 1
    alive = beams.scores > -jnp.inf
    normalizer = jax.nn.logsumexp(logits, axis=-1)  # finite where the logits are usable, and only there
    unusable = jnp.any(alive & ~jnp.isfinite(normalizer), axis=1)
    scores = jnp.where(unusable[:, None], -jnp.inf, beams.scores)

    # The best candidates of each hypothesis, one more than can be needed, then those of the row.
    allowed = _allowed(logits, beams, no_repeat=no_repeat, rules=rules, rows=rows)
    values, ids = top_tokens(allowed, min(size + 2, allowed.shape[-1]))
    ending = allowed[..., rules.end]
    if rows.prefix is not None:
        values, ids, ending = _forced(values, ids, ending, logits, time, rows)
    gains = jnp.minimum(values - normalizer[..., None], 0)
    candidates = jnp.where((scores > -jnp.inf)[..., None], scores[..., None] + gains, -jnp.inf).reshape(b, -1)
    best, at = jax.lax.top_k(candidates, min(2 * size + 1, candidates.shape[1]))
    lacking = ((0, 0), (0, 2 * size + 1 - best.shape[1]))
    best, at = jnp.pad(best, lacking, constant_values=-jnp.inf), jnp.pad(at, lacking)
    tokens = jnp.take_along_axis(ids.reshape(b, -1), at, axis=1)
    parents = at // ids.shape[-1]

    coverage, covered = None, jnp.zeros((b, places), jnp.float32)
    if rules.coverage is not None and beams.coverage is not None and attention is not None:
        coverage = beams.coverage + attention
        covered = rules.coverage * _coverage(coverage, rows.source_mask)

    # Found is what ends among the k best, and where the maximum length is reached what else would go on.
    ends = (best > -jnp.inf) & (tokens == rules.end)
    in_beam = jnp.arange(2 * size + 1) < size
    rank = jnp.cumsum(~ends, axis=1) - 1
    is_cut = ~ends & (rank < size) & (length == most)[:, None]
    accepted = ends & in_beam
    whole = rules.normalised(best, length) + jnp.take_along_axis(covered, parents, axis=1)
    found = beams.found.merged(
        Found(
            jnp.where((accepted | is_cut) & (best > -jnp.inf), whole, -jnp.inf),
            best,
            jnp.broadcast_to(length, best.shape),
            tokens,
            parents,
            accepted,
        )
    )

    # What goes on: k candidates that do not end. The next one is the best of those that are left out.
    order = jnp.argmax(~ends[:, None] & (rank[:, None] == jnp.arange(size + 1)[:, None]), axis=-1)
    enough = rank[:, -1:] >= jnp.arange(size + 1)
    going = jnp.where(enough, jnp.take_along_axis(best, order, axis=1), -jnp.inf)
    bounds = rules.bound(going, length, most)
    all_end = jnp.all(accepted[:, :size], axis=1)
    is_taken = jnp.any(accepted[:, None] & (parents[:, None] == jnp.arange(places)[:, None]), axis=-1)
    refused = scores + jnp.minimum(ending - normalizer, 0)
    refused = jnp.where(is_taken | (scores == -jnp.inf), -jnp.inf, rules.normalised(refused, length) + covered)
    left_out = jnp.maximum(refused.max(axis=1), jnp.where(all_end, bounds[:, 0], bounds[:, size]))
    done = all_end | (length == most) | (bounds[:, 0] <= found.scores[:, -1])

    made = jnp.take_along_axis(tokens, order[:, :size], axis=1)
    parents = jnp.take_along_axis(parents, order[:, :size], axis=1)
    history = None
    if beams.history is not None:
        history = jnp.take_along_axis(beams.history, parents[..., None], axis=1).at[:, :, time].set(made)
    return _Beams(
        time=length,
        scores=jnp.where(done[:, None], -jnp.inf, going[:, :size]),
        made=made,
        parents=parents,
        history=history,
        coverage=None if coverage is None else jnp.take_along_axis(coverage, parents[..., None], axis=1),
        found=found,
        left_out=jnp.maximum(beams.left_out, left_out),
        unusable=jnp.where(unusable, time, beams.unusable),
    )


def _allowed(logits: Array, beams: _Beams, *, no_repeat: int, rules: Rules, rows: Rows) -> Array:
    """logits [b, k, v] with -inf for tokens that may not come next."""
    is_end = jnp.arange(logits.shape[-1]) == rules.end
    too_short = is_end & (beams.time + 1 < rules.min_length)
    ruled_out = too_short if rules.forbidden is None else too_short | rules.forbidden
    logits = jnp.where(ruled_out, -jnp.inf, logits)
    if beams.history is None:
        return logits
    # A token is ruled out where it came after what the last no_repeat - 1 tokens are.
    capacity, before = beams.history.shape[-1], no_repeat - 1
    if before >= capacity:
        return logits
    last = jnp.roll(beams.history, before - beams.time, axis=-1)[..., :before]
    starts = capacity - before
    same = jnp.broadcast_to(jnp.arange(starts) + before < beams.time, (*logits.shape[:2], starts))
    for i in range(before):
        same &= beams.history[..., i : i + starts] == last[..., i : i + 1]
    followed = jnp.where(same, beams.history[..., before:], logits.shape[-1])
    index = jnp.arange(logits.shape[0])[:, None, None], jnp.arange(logits.shape[1])[:, None], followed
    return logits.at[index].set(-jnp.inf, mode="drop")


def _forced(
    values: Array, ids: Array, ending: Array, logits: Array, time: Array, rows: Rows
) -> tuple[Array, Array, Array]:
    """The candidates of each hypothesis, and its end; inside the prefix of its row the next token of that alone."""
    prefix = jnp.asarray(rows.prefix)
    inside = (time < jnp.asarray(rows.prefix_length))[:, None]
    token = jnp.take(prefix, jnp.minimum(time, prefix.shape[1] - 1), axis=1)[:, None, None]
    value = jnp.take_along_axis(logits, token, axis=2)
    is_first = jnp.arange(ids.shape[-1]) == 0
    values = jnp.where(inside[..., None], jnp.where(is_first, value, -jnp.inf), values)
    return values, jnp.where(inside[..., None], token, ids), jnp.where(inside, -jnp.inf, ending)


def _coverage(coverage: Array, mask: Any) -> Array:
    """The sum of log(min(coverage, 1)) over the source: [b, k] of [b, k, s]."""
    least = jnp.finfo(jnp.float32).tiny  # a finite number for what was never looked at
    logs = jnp.log(jnp.clip(coverage, least, 1))
    return jnp.sum(logs if mask is None else jnp.where(mask[:, None], logs, 0), axis=-1)


def _attention(carry: Any) -> Array:
    assert isinstance(carry, Conditioned)  # whoever calls has said so to the person
    assert carry.attention is not None
    return carry.attention.astype(jnp.float32)


def _flat(parents: Array, places: int) -> Array:
    """parents [b, k], of a beam of so many places, as rows of the carry: [b * k]."""
    return (jnp.arange(len(parents), dtype=jnp.int32)[:, None] * places + parents).reshape(-1)
