"""Models that are tables, whose logits follow from the whole text so far, and all their texts, one by one."""

from functools import cache
from itertools import product
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxseq.decoding.protocol import Conditioned

VOCABULARY, LONGEST, END, SOURCE = 4, 4, 1, 3
TEXTS = sum(VOCABULARY**t for t in range(LONGEST + 1))


class Table(NamedTuple):
    """For every text of up to LONGEST tokens, numbered: logits [n, v] of the next, and attention [n, s]."""

    logits: np.ndarray
    attention: np.ndarray

    @classmethod
    def drawn(cls, seed: int, *, spread: float = 2.0) -> "Table":
        rng = np.random.default_rng(seed)
        logits = rng.normal(size=(TEXTS, VOCABULARY), scale=spread).astype(np.float32)
        return cls(logits, rng.dirichlet(np.full(SOURCE, 0.3), TEXTS).astype(np.float32))


def read(tokens, state):
    """The number of the text that has one token more."""
    return jnp.minimum(VOCABULARY * state + 1 + tokens, TEXTS - 1)


def step_of(tables):
    """A step of tables [b, ...], a row's own each: the carry's memory is the row's number."""

    def step(tokens, carry):
        state = read(tokens, carry.state)
        row = jnp.repeat(carry.memory, len(tokens) // len(carry.memory))
        return tables.logits[row, state], Conditioned(carry.memory, state, tables.attention[row, state])

    return step


class Text(NamedTuple):
    tokens: tuple[int, ...]
    score: float
    log_probability: float


@cache
def _all_tokens(longest: int) -> tuple[tuple[int, ...], ...]:
    """Every text that ends, or is cut at the longest length."""
    others = [token for token in range(VOCABULARY) if token != END]
    ended = [(*words, END) for t in range(longest) for words in product(others, repeat=t)]
    return (*ended, *product(others, repeat=longest))


def all_texts(table: Table, beam, *, longest: int, prefix=(), mask=None) -> list[Text]:
    """Every hypothesis there could be, best first, worked out in float64."""
    logits = table.logits.astype(np.float64)
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    texts = []
    for tokens in _all_tokens(longest):
        free = tokens[len(prefix) :]
        grams = [tokens[i : i + beam.no_repeat] for i in range(len(tokens) - beam.no_repeat + 1)]
        repeats = beam.no_repeat and any(
            gram in grams[:i] and i + beam.no_repeat > len(prefix) for i, gram in enumerate(grams)
        )
        too_short = tokens[-1] == END and len(tokens) < beam.min_length
        if tokens[: len(prefix)] != tuple(prefix) or repeats or too_short or set(free) & set(beam.forbidden):
            continue
        number, total, seen = 0, 0.0, np.zeros(SOURCE)
        for token in tokens:
            total += log_probabilities[number, token]
            seen += table.attention[number]
            number = VOCABULARY * number + 1 + token
        score = total / ((5 + len(tokens)) / 6) ** beam.length_penalty
        logs = np.log(np.minimum(seen, 1))
        score += beam.coverage_penalty * (logs if mask is None else logs[mask]).sum()
        texts.append(Text(tokens, score, total))
    return sorted(texts, key=lambda text: -text.score)
