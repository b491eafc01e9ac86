"""With JAX_ENABLE_X64, as scientific scripts set it, everything has the types and gives the numbers it has without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_language_models import recurrent_model, transformer_model

from jaxseq.config import (
    BagConfig,
    ClassificationConfig,
    CorpusConfig,
    EncoderConfig,
    NBSVMConfig,
    RNNConfig,
    SGDConfig,
    kinds_of,
)
from jaxseq.data import Corpus, RowLoader
from jaxseq.data.examples import LabelledBatch
from jaxseq.decoding import Sampling, generate, next_tokens
from jaxseq.ops.objective import LossContext
from jaxseq.runs import train_model
from jaxseq.runs.evaluation import SplitEvaluator
from jaxseq.tasks.classification.classifiers import build_classifier, classification_loss, init_classifier
from jaxseq.tasks.language.corpora import row_loader
from jaxseq.tasks.language.language_model import evaluation, init_params, make_loss_fn
from jaxseq.training.optim import make_optimizer

SIZE = {"features": 8}
MODELS = {
    "lstm": recurrent_model(**SIZE, cell="lstm", embedding=3, recurrent_dropout=0.2, dropout=0.2),
    "gru": recurrent_model(**SIZE, cell="gru", input_dropout=0.2, variational=True),
    "gru_reset_before": recurrent_model(**SIZE, cell="gru", reset_after=False, embedding=3),
    "simple_rnn": recurrent_model(**SIZE, cell="rnn", input_dropout=0.2, predict="last"),
    "rotary": transformer_model(**SIZE, heads=2, layers=1, context=5, dropout=0.2),
    "learned": transformer_model(**SIZE, heads=2, layers=1, context=9, positions="learned", bias=True),
    "sinusoidal": transformer_model(
        **SIZE, heads=2, layers=1, context=9, positions="sinusoidal", tied=False, dtype=jnp.bfloat16
    ),
}
CLASSIFIERS = {
    "bag": (BagConfig(features=4), ("mean",)),
    "both_ways": (RNNConfig(cell="gru", features=4, bidirectional=True, embedding=3), ("max", "mean", "ends")),
    "encoder": (EncoderConfig(features=8, layers=1, heads=2, dropout=0.2), ("attention", "last")),
    "nbsvm": (NBSVMConfig(), ("sum",)),
}
IDS = np.random.default_rng(0).integers(0, 7, 200).astype(np.int32)
MASK, RESET = (np.random.default_rng(1).random((2, 2, 6)) < np.array([0.7, 0.3])[:, None, None]).astype(bool)
# No rule that divides by the gradient's size: it makes a whole step of a gradient that is 0 but for rounding.
RULE = SGDConfig(momentum=0.9, schedule="cosine", warmup_steps=2, clip_norm=1.0)


def of_model(model) -> dict:
    """Fresh parameters, and what the model computes with them, gradients included."""
    params, carry = init_params(model, seed=0), model.initial_carry(2)
    tokens, targets = IDS[:12].reshape(2, 6), IDS[1:13].reshape(2, 6)
    flags = {"mask": MASK, "reset": RESET, "train": True, "rngs": {"dropout": jax.random.key(2)}}

    @jax.jit
    def run(params, carry):
        def loss(params):
            tallies, after = model.apply({"params": params}, tokens, targets, carry, **flags, method="loss")
            return tallies["loss"].total, (tallies, after)

        return jax.grad(loss, has_aux=True)(params), model.apply({"params": params}, tokens[:, :2], carry)

    return {"params": params, "carry": carry, "run": run(params, carry)}


def of_classifier(model) -> dict:
    """Fresh parameters of a classifier, its probabilities, and gradients of the loss of a batch."""
    config, pooling = model
    classifier = build_classifier(ClassificationConfig(pooling=pooling, hidden=3), config, vocabulary_size=7, classes=3)
    variables, loss = init_classifier(classifier, jax.random.key(0)), classification_loss(classifier)
    batch = LabelledBatch(IDS[:12].reshape(2, 6), MASK, np.array([0, 2], np.int32), np.array([True, True]))
    context = LossContext(jnp.int32(0), jax.random.key(2))

    @jax.jit
    def run(params):
        def total(params):
            output = loss({**variables, "params": params}, None, batch, context)
            return output.tallies["loss"].total, output.tallies

        return jax.grad(total, has_aux=True)(params), classifier.apply({**variables, "params": params}, batch.inputs)

    return {"variables": variables, "run": run(variables["params"])}


def of_package(model) -> dict:
    """What training, evaluation and decoding make of a model."""
    params = init_params(model, seed=0)
    loader = RowLoader(IDS, length=6, batch_size=2, document_starts=np.array([0, 50]))
    prompt, sampling = IDS[:6].reshape(2, 3), Sampling(temperature=0.9, top_k=5, top_p=0.9, min_p=0.01)
    data, corpus = CorpusConfig(length=6, batch_size=2), Corpus(IDS, np.array([0]))
    evaluate = SplitEvaluator(evaluation(model, row_loader(data, corpus, rows=2)))
    return {
        "trained": train_model(
            make_loss_fn(model, loader),
            params,
            loader,
            steps=3,
            carry=model.initial_carry(2),
            optimizer=RULE,
            steps_per_dispatch=2,
        ),
        "evaluated": {name: np.float32(value) for name, value in evaluate({"params": params}).items()},
        "sampled": generate(model, params, prompt, length=4, key=jax.random.key(1), sampling=sampling),
        "next": next_tokens(model, params, prompt, count=3),
    }


@pytest.mark.parametrize(
    ("compute", "name"),
    [(of_model, name) for name in MODELS]
    + [(of_package, name) for name in ("lstm", "rotary")]
    + [(of_classifier, name) for name in CLASSIFIERS],
)
def test_types_and_numbers_are_those_without_it(compute, name):
    results = []
    for wide in (False, True):
        with jax.enable_x64(wide):
            results.append(compute({**MODELS, **CLASSIFIERS}[name]))
    paths = jax.tree_util.tree_leaves_with_path(results[0])
    for (path, want), have in zip(paths, jax.tree.leaves(results[1]), strict=True):
        where = jax.tree_util.keystr(path)
        assert have.dtype == want.dtype, where
        # Only learning rates, worked out of Python's numbers, are rounded later than without it.
        tolerance = 1e-6 if "trained" in where else 0
        np.testing.assert_allclose(
            np.asarray(have, np.float64), np.asarray(want, np.float64), rtol=0, atol=tolerance, err_msg=where
        )


@pytest.mark.parametrize("rule", ["adam", "adamw", "rmsprop", "adadelta", "adagrad", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "step"])
def test_no_optimizer_makes_a_float64_of_parameters(rule, schedule):
    momentum = {"momentum": 0.9} if rule in ("sgd", "rmsprop") else {}
    config = kinds_of("optimizer")[rule](schedule=schedule, clip_value=1.0, clip_norm=1.0, **momentum)
    with jax.enable_x64(True):
        optimizer = make_optimizer(config, steps=10)
        params = {"w": jnp.ones(3, jnp.float32)}
        state = optimizer.transform.init(params)
        update, after = jax.jit(optimizer.transform.update)(params, state, params)
        assert update["w"].dtype == jnp.float32
        assert [leaf.dtype for leaf in jax.tree.leaves(after)] == [leaf.dtype for leaf in jax.tree.leaves(state)]
