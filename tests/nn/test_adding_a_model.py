"""The page docs/adding-a-model.md: its example keeps the laws, trains and samples."""

from typing import Any

import jax
import laws
import numpy as np
import pytest
from pages import blocks, read_page

from jaxseq.config import AdamConfig
from jaxseq.data import RowLoader
from jaxseq.decoding import Sampling, generate
from jaxseq.runs import train_model
from jaxseq.tasks import init_params, make_loss_fn

PAGE = read_page("adding-a-model.md")


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the Python blocks of the page define."""
    names: dict[str, Any] = {"__name__": "adding_a_model"}
    for block in blocks(PAGE):
        exec(block, names)
    return names


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_the_example_keeps_the_laws(page, law):
    (subject,) = page["SUBJECTS"]
    page["test_the_carry_keeps_its_laws"](subject, law)


def test_the_example_trains_and_samples(page):
    model, ids = page["fading"](5, features=16), np.tile(np.arange(5, dtype=np.int32), 100)
    loader = RowLoader(ids, length=10, batch_size=4)
    loss, start, carry = make_loss_fn(model, loader), init_params(model, seed=0), model.initial_carry(4)
    params = train_model(loss, start, loader, carry=carry, steps=60, optimizer=AdamConfig(learning_rate=0.1))
    sample = generate(model, params, ids[:3], length=12, key=jax.random.key(0), sampling=Sampling(greedy=True))
    assert sample.tolist() == ids[3:15].tolist()
