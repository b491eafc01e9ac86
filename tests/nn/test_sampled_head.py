"""The sampled head: its training loss, and that all else is the head's within it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.models import Recurrent, Transformer
from jaxseq.nn import BareHead, LanguageModel, TiedHead, VocabularyHead
from jaxseq.nn.sampled_head import SampledHead
from jaxseq.ops.proposals import Proposal
from jaxseq.ops.sampled_softmax import sampled_cross_entropy

V = 12
PROPOSAL = Proposal.log_uniform(V, samples=4)
TOKENS = np.random.default_rng(0).integers(0, 6, (3, 5), dtype=np.int32)
TARGETS = np.roll(TOKENS, -1, axis=1)
MASK = np.arange(15).reshape(3, 5) % 4 > 0
SMALL = {"features": 8, "heads": 2, "layers": 1, "context": 5}
BODIES = {
    "vocabulary": (Recurrent(V, features=5, embedding=3), VocabularyHead(V)),
    "tied": (Transformer(V, **SMALL), TiedHead(V)),
    "bare": (Transformer(V, **SMALL), BareHead(V)),
}


def models(name):
    """The model with the full softmax, the sampled one, and parameters."""
    body, head = BODIES[name]
    plain, sampled = LanguageModel(body, head), LanguageModel(body, SampledHead(V, head, PROPOSAL))
    return plain, sampled, jax.jit(plain.init)(jax.random.key(0), TOKENS)["params"]


def loss_of(model, params, *, train, key=None, mask=MASK):
    rngs = None if key is None else {"samples": key}
    return model.apply({"params": params}, TOKENS, TARGETS, mask=mask, train=train, rngs=rngs, method="loss")[0]


@pytest.mark.parametrize("name", BODIES)
def test_parameters_logits_steps_and_the_loss_outside_of_training_are_the_head_s(name):
    plain, sampled, params = models(name)

    def outputs(model):
        def of(params):
            fresh = model.init(jax.random.key(0), TOKENS)["params"]
            logits, carry = model.apply({"params": params}, TOKENS, mask=MASK)
            step = model.decode_step(model.decoding_weights(params), TOKENS[:, 0], carry)
            return fresh, logits, step, loss_of(model, params, train=False)

        return jax.jit(of)(params)

    jax.tree.map(np.testing.assert_array_equal, outputs(sampled), outputs(plain))


@pytest.mark.parametrize("name", ["vocabulary", "tied"])
def test_the_training_loss_is_that_among_words_that_a_draw_can_give(name):
    plain, sampled, params = models(name)
    body, head = BODIES[name]
    starts = jnp.arange(0, 2**29, 2**20, dtype=jnp.int32)
    draws = np.unique(np.asarray(jax.jit(jax.vmap(PROPOSAL.at))(starts)), axis=0)

    @jax.jit
    def losses(draws):
        features = body.apply({"params": params}, TOKENS, mask=MASK)[0]
        # The order of tokens is that in memory, and no matter to a sum.
        kernel, bias = head.weights_in(params if head.BESIDE_BODY else params["head"])
        given = (features.reshape(15, -1), kernel, bias, TARGETS.reshape(15))
        return jax.vmap(
            lambda ids: sampled_cross_entropy(*given, ids, PROPOSAL.log_expected(), MASK.reshape(15))[0].total
        )(draws)

    possible = losses(draws)
    of = jax.jit(lambda seed: loss_of(sampled, params, train=True, key=jax.random.key(seed))["loss"].total)
    trained = [float(of(seed)) for seed in range(4)]
    assert len(set(trained)) > 1
    for loss in trained:
        assert np.abs(possible / loss - 1).min() < 1e-5
    full = jax.jit(lambda: (loss_of(plain, params, train=True), loss_of(plain, params, train=False)))()
    jax.tree.map(np.testing.assert_array_equal, *full)


def test_the_gradient_of_a_tied_embedding_reaches_the_words_drawn_and_those_read_only():
    _, sampled, params = models("tied")

    @jax.jit
    @jax.grad
    def gradient(params):
        return loss_of(sampled, params, train=True, key=jax.random.key(1), mask=None)["loss"].total

    rows = np.asarray(gradient(params)["embedding"])
    assert np.isfinite(rows).all()
    touched = np.flatnonzero(rows.any(1))
    assert set(np.unique(TOKENS)) <= set(touched)
    assert len(touched) <= len(np.unique(TOKENS)) + PROPOSAL.samples
