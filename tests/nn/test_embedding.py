import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.nn.embedding import Embedding, given_table
from jaxseq.nn.recurrent import GRU

TABLE = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
TOKENS = np.array([[1, 4, 5], [4, 0, 2]], np.int32)


def test_a_given_table_is_what_it_starts_as():
    layer = Embedding(6, 3, given_table(TABLE))
    params = layer.init(jax.random.key(0), TOKENS)
    np.testing.assert_array_equal(params["params"]["table"], TABLE)
    np.testing.assert_array_equal(layer.apply(params, TOKENS, method="vectors"), TABLE[TOKENS])
    lookup = layer.apply(params, TOKENS)
    assert lookup.shape == (2, 3, 3)
    np.testing.assert_array_equal(lookup.vectors(), TABLE[TOKENS])


def test_a_table_of_another_vocabulary_is_refused():
    layer = Embedding(7, 3, given_table(TABLE))
    with pytest.raises(ValueError, match="the table given has 6 x 3 numbers, the embedding wants 7 x 3"):
        layer.init(jax.random.key(0), TOKENS)


@pytest.mark.parametrize("padding", [0, -1, 6, 2**31 - 1])
@pytest.mark.parametrize("looked_up", [False, True], ids=["lookup", "vectors"])
def test_padding_has_no_gradient_in_the_table_whatever_it_holds(padding, looked_up):
    """Without padding rows 0 and 4 are not read at all."""
    mask = np.array([[True, False, True], [False, False, True]])
    embedding, layer = Embedding(6, 3), GRU(2)
    ids = jnp.where(mask, TOKENS, padding).astype(jnp.int32)
    params = jax.jit(layer.init)(jax.random.key(0), TABLE[None, :1])

    @jax.jit
    @jax.value_and_grad
    def total(table):
        held = {"params": {"table": table}}
        if looked_up:
            return (embedding.apply(held, ids, mask=mask, method="vectors") ** 2).sum()
        outputs, end = layer.apply(params, embedding.apply(held, ids, mask=mask), mask=mask)
        return (outputs**2).sum() + (end.h**2).sum()

    value, gradient = total(TABLE)
    assert np.isfinite(value)
    assert np.flatnonzero(np.abs(gradient).max(1)).tolist() == [1, 2, 5]
    spoilt = TABLE.copy()
    spoilt[[0, 3, 4]] = np.nan
    again, same = total(spoilt)
    np.testing.assert_array_equal(again, value)
    np.testing.assert_array_equal(same, gradient)
