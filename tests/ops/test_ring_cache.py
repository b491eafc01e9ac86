import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxseq.ops.ring_cache import KeyValues, look_up, place

ROWS, STEPS, CONTEXT = 2, 6, 4


def entries(first: int) -> KeyValues:
    """Keys and values of ROWS x STEPS tokens, every one different: first, first + 1, ..."""
    keys = jnp.arange(first, first + ROWS * STEPS, dtype=jnp.float32).reshape(ROWS, STEPS, 1, 1)
    return KeyValues(keys, -keys)


def by_hand(
    windows: list[list[float]], new: KeyValues, mask, reset
) -> tuple[list[list[set[float]]], list[list[float]]]:
    """What every token sees and what every row keeps, with lists."""
    seen = []
    for b in range(ROWS):
        window, row = list(windows[b]), []
        for i in range(STEPS):
            window = [] if reset[b, i] else window
            if mask[b, i]:
                window = [*window, float(new.keys[b, i, 0, 0])][-CONTEXT:]
            row.append(set(window))
        seen.append(row)
        windows[b] = window
    return seen, windows


@settings(deadline=None, max_examples=60)
@given(
    masks=st.lists(arrays(bool, (ROWS, STEPS)), min_size=1, max_size=3),
    resets=st.lists(
        arrays(bool, (ROWS, STEPS), elements=st.sampled_from([False] * 5 + [True])), min_size=3, max_size=3
    ),
)
def test_every_token_sees_the_last_tokens_of_its_row_since_its_reset_and_the_ring_keeps_them(masks, resets):
    ring, position, windows = None, None, [[] for _ in range(ROWS)]
    for call, (mask, reset) in enumerate(zip(masks, resets, strict=False)):
        new = entries(1 + call * ROWS * STEPS)
        placement = place(STEPS, context=CONTEXT, start=position, mask=jnp.asarray(mask), reset=jnp.asarray(reset))
        candidates, ring = look_up(ring, new, placement)
        seen, windows = by_hand(windows, new, mask, reset)
        visible = np.broadcast_to(placement.visible, (ROWS, STEPS, candidates.keys.shape[1]))
        for b in range(ROWS):
            for i in np.flatnonzero(mask[b]):
                assert set(np.asarray(candidates.keys)[b, visible[b, i], 0, 0].tolist()) == seen[b][i]
            held = np.asarray(ring.keys)[b, :, 0, 0]
            next_position = int(placement.next_position[b])
            slots = [(next_position - len(windows[b]) + n) % CONTEXT for n in range(len(windows[b]))]
            assert held[slots].tolist() == windows[b]
            assert np.count_nonzero(held) == len(windows[b]), "an empty slot holds something"
        np.testing.assert_array_equal(ring.values, -ring.keys)
        position = placement.next_position


def test_positions_count_real_tokens_since_the_last_reset():
    mask = jnp.array([[True, False, True, True, True, True]])
    reset = jnp.array([[False, False, False, True, False, False]])
    placement = place(6, context=4, start=jnp.array([10]), mask=mask, reset=reset)
    assert placement.positions[mask].tolist() == [10, 11, 0, 1, 2]
    assert placement.next_position.tolist() == [3]


def test_one_token_is_stored_before_it_looks():
    ring = KeyValues(*(jnp.zeros((1, CONTEXT, 1, 1)) for _ in range(2)))
    position = jnp.zeros(1, jnp.int32)
    for i in range(1, 8):
        new = KeyValues(*(jnp.full((1, 1, 1, 1), float(i)) for _ in range(2)))
        placement = place(1, context=CONTEXT, start=position)
        seen, ring = look_up(ring, new, placement)
        position = placement.next_position
        assert seen.keys.shape == (1, CONTEXT, 1, 1)
        window = np.asarray(seen.keys)[0, placement.visible[0, 0], 0, 0]
        assert sorted(window.tolist()) == [float(j) for j in range(max(1, i - CONTEXT + 1), i + 1)]
