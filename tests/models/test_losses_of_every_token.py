"""A loss in which every token counts goes without the guards against what is not finite, and needs none."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_language_models import recurrent_model, transformer_model

MODELS = {
    "lstm": recurrent_model(features=6, cell="lstm", layers=2, embedding=3),
    "gru, last": recurrent_model(features=6, cell="gru", predict="last"),
    "transformer": transformer_model(features=8, heads=2, layers=2, context=5),
}
TOKENS = jax.random.randint(jax.random.key(1), (3, 5), 0, 7)


@partial(jax.jit, static_argnums=0)
def total(model, params, carry, mask):
    losses, _ = model.apply({"params": params}, TOKENS, (TOKENS + 1) % 7, carry, mask=mask, method="loss")
    return losses["loss"].total


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_it_and_its_gradient_are_those_with_guards(model):
    params = jax.jit(model.init)(jax.random.key(0), TOKENS)["params"]
    of = jax.jit(jax.value_and_grad(lambda params, mask: total(model, params, model.initial_carry(3), mask)))
    loss, gradient = of(params, None)
    guarded_loss, guarded = of(params, jnp.ones(TOKENS.shape, bool))
    np.testing.assert_allclose(loss, guarded_loss, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), gradient, guarded)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_what_is_not_finite_makes_it_so(model):
    params = jax.jit(model.init)(jax.random.key(0), TOKENS)["params"]
    carry = jax.tree.map(
        lambda leaf: leaf.at[0].set(jnp.nan) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf + 3,
        model.initial_carry(3),
    )
    assert np.isnan(total(model, params, carry, None))
    if "embedding" in params:
        spoilt = {**params, "embedding": params["embedding"].at[TOKENS[0, -1]].set(jnp.nan)}
        assert np.isnan(total(model, spoilt, model.initial_carry(3), None))
