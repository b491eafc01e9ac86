"""With JAX_ENABLE_X64, as scientific scripts set it, everything has the types and gives the numbers it has without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.config import DataConfig, OptimizerConfig
from jaxseq.data import Corpus, RowLoader
from jaxseq.decoding import Sampling, generate, next_tokens
from jaxseq.models.rnn import RNNLanguageModel
from jaxseq.models.transformer import TransformerLanguageModel
from jaxseq.tasks import train_model
from jaxseq.tasks.language_model import SplitEvaluator, init_params
from jaxseq.training.optim import make_optimizer

SIZE = {"vocabulary_size": 7, "features": 8}
MODELS = {
    "lstm": RNNLanguageModel(**SIZE, cell="lstm", embedding=3, recurrent_dropout=0.2, dropout=0.2),
    "gru": RNNLanguageModel(**SIZE, cell="gru", input_dropout=0.2, variational=True),
    "gru_reset_before": RNNLanguageModel(**SIZE, cell="gru", reset_after=False, embedding=3),
    "simple_rnn": RNNLanguageModel(**SIZE, cell="rnn", input_dropout=0.2, predict="last"),
    "rotary": TransformerLanguageModel(**SIZE, heads=2, layers=1, context=5, dropout=0.2),
    "learned": TransformerLanguageModel(**SIZE, heads=2, layers=1, context=9, positions="learned", bias=True),
    "sinusoidal": TransformerLanguageModel(
        **SIZE, heads=2, layers=1, context=9, positions="sinusoidal", tie_embedding=False, dtype=jnp.bfloat16
    ),
}
IDS = np.random.default_rng(0).integers(0, 7, 200).astype(np.int32)
MASK, RESET = (np.random.default_rng(1).random((2, 2, 6)) < np.array([0.7, 0.3])[:, None, None]).astype(bool)
CLIPPED = OptimizerConfig(schedule="cosine", warmup_steps=2, clip_norm=1.0)


def everything(model) -> dict:
    """What the package computes with a model, from fresh parameters to samples."""
    fresh = init_params(model, seed=0)
    loader = RowLoader(IDS, length=6, batch_size=2, document_starts=np.array([0, 50]))
    params = train_model(model, loader, steps=3, optimizer=CLIPPED, steps_per_dispatch=2)
    tokens, targets = IDS[:12].reshape(2, 6), IDS[1:13].reshape(2, 6)
    flags = {"mask": MASK, "reset": RESET}

    @jax.jit
    def run(params, carry):
        def loss(params):
            tallies, after = model.apply({"params": params}, tokens, targets, carry, **flags, method="loss")
            return tallies["loss"].total, (tallies, after)

        gradient, (tallies, after) = jax.grad(loss, has_aux=True)(params)
        logits = model.apply({"params": params}, tokens, carry, **flags)
        return gradient, tallies, after, logits, model.apply({"params": params}, tokens[:, :0], carry)

    data = DataConfig(length=6, batch_size=2)
    evaluate = SplitEvaluator(model, data, Corpus(IDS, np.array([0])), how="carried", rows=2)
    sampling = Sampling(temperature=0.9, top_k=5, top_p=0.9, min_p=0.01)
    return {
        "initial": (fresh, model.initial_carry(2)),
        "trained": params,
        "run": run(params, model.initial_carry(2)),
        "evaluated": {name: np.float32(value) for name, value in evaluate(params).items()},
        "sampled": generate(model, params, tokens[:, :3], length=5, key=jax.random.key(1), sampling=sampling),
        "next": next_tokens(model, params, tokens[0, :3], count=3),
    }


@pytest.mark.parametrize("name", MODELS)
def test_types_and_numbers_are_those_without_it(name):
    results = []
    for wide in (False, True):
        with jax.enable_x64(wide):
            results.append(everything(MODELS[name]))
    paths = jax.tree_util.tree_leaves_with_path(results[0])
    for (path, want), have in zip(paths, jax.tree.leaves(results[1]), strict=True):
        where = jax.tree_util.keystr(path)
        assert have.dtype == want.dtype, where
        want, have = np.asarray(want, np.float64), np.asarray(have, np.float64)
        # Only learning rates and Adam's corrections, worked out of Python's numbers, are rounded later than without it.
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-6, err_msg=where)


@pytest.mark.parametrize("rule", ["adam", "adamw", "rmsprop", "adadelta", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_no_optimizer_makes_a_float64_of_parameters(rule, schedule):
    momentum = 0.9 if rule in ("sgd", "rmsprop") else 0.0
    config = OptimizerConfig(name=rule, schedule=schedule, momentum=momentum, clip_value=1.0, clip_norm=1.0)
    with jax.enable_x64(True):
        optimizer = make_optimizer(config, steps=10)
        params = {"w": jnp.ones(3, jnp.float32)}
        state = optimizer.transform.init(params)
        update, after = optimizer.transform.update(params, state, params)
        assert update["w"].dtype == jnp.float32
        assert jax.tree.map(jnp.dtype, after) == jax.tree.map(jnp.dtype, state)
