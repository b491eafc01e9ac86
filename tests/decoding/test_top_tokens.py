import jax
import numpy as np
import pytest

from jaxseq.decoding.top_tokens import top_tokens


@pytest.mark.parametrize(("size", "count"), [(5, 5), (40, 3), (1000, 1), (1003, 7), (8000, 12)])
def test_the_highest_logits_are_found_with_their_ties_in_order(size, count):
    rng = np.random.default_rng(size)
    few = rng.integers(0, 3, (2, 4, size)).astype(np.float32)
    few[1, :, count // 2 :] = -np.inf
    for logits in (few, rng.normal(size=(2, 4, size)).astype(np.float32)):
        values, ids = jax.jit(top_tokens, static_argnums=1)(logits, count)
        expected = np.argsort(-logits, axis=-1, kind="stable")[..., :count]
        np.testing.assert_array_equal(ids, expected)
        np.testing.assert_array_equal(values, np.take_along_axis(logits, expected, axis=-1))
