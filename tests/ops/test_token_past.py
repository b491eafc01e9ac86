"""Keys and values that stay with the row that wrote them, beside plain lists of every row's own text."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.ops.token_past import FEW, FINE, Past, attend_to_past, empty_past, step_on

SOURCES, SIBLINGS, HEADS, WIDTH = 2, 3, 2, 4
ROWS = SOURCES * SIBLINGS


@partial(jax.jit, static_argnames="siblings")
def advance(places, position, query, key, value, past, *, siblings):
    step = step_on(places, position, siblings=siblings)
    gathered, past = attend_to_past(query, key, value, past, step)
    return gathered, past, step.places


def expected(query, text):
    """What one row gathers of the tokens in its text, a head at a time, in float64."""
    keys, values = (np.stack(part).astype(np.float64) for part in zip(*text, strict=True))  # [t, h, k]
    scores = np.einsum("hk,thk->ht", query[0].astype(np.float64), keys) / np.sqrt(WIDTH)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return np.einsum("ht,thk->hk", weights / weights.sum(1, keepdims=True), values)


@pytest.mark.parametrize("slots", [5, FINE, FEW + 12])
def test_a_row_gathers_the_last_tokens_of_its_own_text_however_rows_changed_places(slots):
    rng = np.random.default_rng(slots)
    past = empty_past(SOURCES, heads=HEADS, slots=slots, width=WIDTH, dtype=jnp.float32)
    past = Past(*(jnp.repeat(x, SIBLINGS, axis=3) for x in past))
    places, texts = np.full((ROWS, slots), -1, np.int32), [[] for _ in range(ROWS)]
    for position in range(slots + 4):
        query, key, value = rng.normal(size=(3, ROWS, 1, HEADS, WIDTH)).astype(np.float32)
        at = np.full(ROWS, position, np.int32)
        gathered, past, places = advance(places, at, query, key, value, past, siblings=SIBLINGS)
        for row, text in enumerate(texts):
            text.append((key[row, 0], value[row, 0]))
            np.testing.assert_allclose(gathered[row, 0], expected(query[row], text[-slots:]), atol=1e-5)
        # Some go on twice and some not at all, as in a beam; those of a source stay together.
        rows = (np.arange(ROWS) // SIBLINGS) * SIBLINGS + rng.integers(0, SIBLINGS, ROWS)
        places, texts = np.asarray(places)[rows], [list(texts[row]) for row in rows]


def test_a_step_marks_its_slot_with_the_place_of_the_row_and_keeps_the_others():
    places = np.array([[0, 1, -1], [1, 0, -1], [0, 0, -1], [1, 1, -1]], np.int32)
    step = step_on(places, np.full(4, 2, np.int32), siblings=2)
    assert np.asarray(step.places)[:, 2].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(np.asarray(step.places)[:, :2], places[:, :2])
    again = step_on(step.places, np.full(4, 3, np.int32), siblings=2)  # the first token has left the window
    assert np.asarray(again.places)[:, 0].tolist() == [0, 1, 0, 1]
