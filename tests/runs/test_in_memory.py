"""Training in a script."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_language_models import MODELS, SYMBOLS, corpus_of

from jaxseq.config import RMSpropConfig, SGDConfig
from jaxseq.data import RowLoader, WindowLoader
from jaxseq.errors import InputError
from jaxseq.ops.objective import LossOutput, Tally
from jaxseq.runs import train_model
from jaxseq.tasks.language.language_model import build_model, init_params, make_loss_fn

MODEL = build_model(MODELS["lstm"], vocabulary_size=SYMBOLS)


def trained(loader, **options):
    """Parameters of a small model after training on `loader`."""
    carry = MODEL.initial_carry(loader.batch_size) if loader.carried else None
    return train_model(make_loss_fn(MODEL, loader), init_params(MODEL, seed=0), loader, carry=carry, **options)


def test_training_in_a_script_that_diverges_says_so():
    loader = RowLoader(np.arange(400) % SYMBOLS, length=8, batch_size=4)
    with pytest.raises(InputError, match=r"10 batches in a row was not finite: lower the learning rate \(3e\+38\)"):
        trained(loader, steps=25, optimizer=SGDConfig(learning_rate=3e38))


@pytest.mark.parametrize("last", [SYMBOLS, -1, 2**33], ids=["above", "negative", "past int32"])
def test_ids_outside_the_vocabulary_of_a_model_are_refused_once_before_training(last):
    ids = np.arange(400) % SYMBOLS
    ids[-1] = last
    sizes = {"length": 8, "batch_size": 4}
    for loader in (RowLoader(ids, **sizes), WindowLoader(ids, **sizes), RowLoader(ids, pad=True, **sizes)):
        with pytest.raises(InputError, match=rf"token ids run from .*, the vocabulary has {SYMBOLS}: "):
            make_loss_fn(MODEL, loader)


def test_training_in_a_script_whose_last_update_diverges_says_so():
    loader = RowLoader(np.arange(400) % SYMBOLS, length=8, batch_size=4)
    with pytest.raises(InputError, match=r"parameters after the last update are not finite: lower the learning rate"):
        trained(loader, steps=1, optimizer=RMSpropConfig(learning_rate=3e38))


def test_training_in_a_script_gives_the_average_of_parameters_where_one_is_kept():
    loader = RowLoader(corpus_of(400).ids, length=8, batch_size=4)
    after = [trained(loader, steps=n, optimizer=SGDConfig(learning_rate=0.5)) for n in (1, 2)]
    average = trained(loader, steps=2, optimizer=SGDConfig(learning_rate=0.5, ema_decay=0.5))
    expected = jax.tree.map(lambda first, second: (first + 2 * second) / 3, *after)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), average, expected)


def test_training_in_a_script_ends_with_an_update_of_the_batches_that_are_left():
    ids = corpus_of(400).ids

    def after(*, steps, batch_size, accumulate=1):
        optimizer = SGDConfig(learning_rate=0.5, accumulate=accumulate)
        loader = WindowLoader(ids, length=8, batch_size=batch_size, shuffle=False)
        return trained(loader, steps=steps, optimizer=optimizer)

    small, large = after(steps=3, batch_size=4, accumulate=4), after(steps=1, batch_size=12)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), small, large)


def test_training_in_a_script_takes_any_loss_and_any_batches():
    """A line through points, as no model of the package has it; the carry counts what it has seen."""

    class Points:
        steps_per_epoch, batch_size, left_out = 5, 4, ""

        def __init__(self, *widths):
            self.widths, self.uniform = widths, len(widths) == 1

        def __call__(self, step, /):
            size = (4, self.widths[step % len(self.widths)])
            x = np.random.default_rng(step).normal(size=size).astype(np.float32)
            return {"x": x, "y": 3 * x + 1}

    seen = []

    def loss(variables, carry, batch, context):
        errors = batch["x"] * variables["params"]["w"] + variables["params"]["b"] - batch["y"]
        jax.debug.callback(lambda count: seen.append(int(count[0, 0])), carry)
        return LossOutput({"loss": Tally((errors**2).sum(), jnp.float32(errors.size))}, carry + 1)

    start = {"w": jnp.zeros(()), "b": jnp.zeros(())}
    optimizer = SGDConfig(learning_rate=0.2)
    for widths in ((1,), (1, 3)):
        seen.clear()
        line = train_model(loss, start, Points(*widths), steps=60, carry=jnp.zeros((4, 1)), optimizer=optimizer)
        jax.effects_barrier()
        assert {name: float(value) for name, value in line.items()} == pytest.approx({"w": 3, "b": 1}, abs=1e-3)
        assert sorted(set(seen)) == list(range(60))
    assert {name: float(value) for name, value in start.items()} == {"w": 0, "b": 0}
