"""Training in a script."""

from functools import partial

import jax
import numpy as np
import pytest
from small_language_models import MODELS, SYMBOLS, corpus_of

from jaxseq.config import RMSpropConfig, SGDConfig
from jaxseq.data import RowLoader, WindowLoader
from jaxseq.errors import InputError
from jaxseq.runs import train_model
from jaxseq.tasks.language_modeling import build_model


def test_training_in_a_script_that_diverges_says_so():
    loader = RowLoader(np.arange(400) % SYMBOLS, length=8, batch_size=4)
    with pytest.raises(InputError, match=r"10 batches in a row was not finite: lower the learning rate \(3e\+38\)"):
        train_model(
            build_model(MODELS["lstm"], vocabulary_size=SYMBOLS),
            loader,
            steps=25,
            optimizer=SGDConfig(learning_rate=3e38),
        )


@pytest.mark.parametrize("last", [SYMBOLS, -1, 2**33], ids=["above", "negative", "past int32"])
def test_ids_outside_the_vocabulary_of_a_model_are_refused_once_before_training(last):
    model = build_model(MODELS["lstm"], vocabulary_size=SYMBOLS)
    ids = np.arange(400) % SYMBOLS
    ids[-1] = last
    sizes = {"length": 8, "batch_size": 4}
    for loader in (RowLoader(ids, **sizes), WindowLoader(ids, **sizes), RowLoader(ids, pad=True, **sizes)):
        with pytest.raises(InputError, match=rf"token ids run from .*, the vocabulary has {SYMBOLS}: "):
            train_model(model, loader, steps=1)


def test_training_in_a_script_whose_last_update_diverges_says_so():
    with pytest.raises(InputError, match=r"parameters after the last update are not finite: lower the learning rate"):
        train_model(
            build_model(MODELS["lstm"], vocabulary_size=SYMBOLS),
            RowLoader(np.arange(400) % SYMBOLS, length=8, batch_size=4),
            steps=1,
            optimizer=RMSpropConfig(learning_rate=3e38),
        )


def test_training_in_a_script_ends_with_an_update_of_the_batches_that_are_left():
    model, ids = build_model(MODELS["lstm"], vocabulary_size=SYMBOLS), corpus_of(400).ids

    def trained(*, steps, batch_size, accumulate=1):
        optimizer = SGDConfig(learning_rate=0.5, accumulate=accumulate)
        loader = WindowLoader(ids, length=8, batch_size=batch_size, shuffle=False)
        return train_model(model, loader, steps=steps, optimizer=optimizer)

    small, large = trained(steps=3, batch_size=4, accumulate=4), trained(steps=1, batch_size=12)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), small, large)
