"""What a model reads in training of what it said itself."""

import functools

import jax
import numpy as np
import pytest

from jaxseq.config import Seq2SeqConfig, Seq2SeqTransformerConfig
from jaxseq.nn.scheduled_sampling import own_inputs
from jaxseq.tasks.translation.encoder_decoders import build_encoder_decoder

ROWS, SOURCE, TARGET, VOCABULARY = 64, 4, 9, 13
RNG = np.random.default_rng(0)
SOURCES = RNG.integers(2, VOCABULARY, (ROWS, SOURCE), np.int32)
INPUTS = RNG.integers(2, VOCABULARY, (ROWS, TARGET), np.int32)
INPUTS[:, 0] = 1
MODELS = {
    "recurrent": Seq2SeqConfig(features=8, embedding=8, attention="dot", input_feeding=True),
    "transformer": Seq2SeqTransformerConfig(features=8, layers=1, heads=2, context=16, dropout=0.0),
}


@pytest.fixture(params=MODELS, scope="module")
def reading(request):
    """(share, seed) -> inputs, and inputs -> the likeliest token after each."""
    model = build_encoder_decoder(MODELS[request.param], vocabulary_size=VOCABULARY, start_token=1)
    params = jax.tree.map(lambda x: 4 * x, model.init(jax.random.key(0), SOURCES, INPUTS)["params"])
    draw = jax.jit(functools.partial(own_inputs, model, source_mask=None))
    at_once = jax.jit(lambda inputs: model.apply({"params": params}, SOURCES, inputs).argmax(axis=-1))
    return lambda share, seed: np.asarray(draw(params, SOURCES, INPUTS, share=share, key=jax.random.key(seed))), at_once


def test_each_token_is_the_true_one_or_the_likeliest_after_those_before_by_a_coin_of_its_own(reading):
    draw, likeliest = reading
    np.testing.assert_array_equal(draw(1.0, 0), INPUTS)
    inputs = draw(0.7, 1)
    np.testing.assert_array_equal(inputs[:, 0], INPUTS[:, 0])
    said = np.asarray(likeliest(inputs))[:, :-1]
    true, own = inputs[:, 1:] == INPUTS[:, 1:], inputs[:, 1:] == said
    assert (true | own).all()
    replaced, differ = ~true, INPUTS[:, 1:] != said
    # 512 coins less those that make no difference: four standard deviations around 0.3.
    assert abs(replaced.sum() / differ.sum() - 0.3) < 4 * (0.21 / differ.sum()) ** 0.5
    # A coin for a whole row would leave rows all true or all replaced.
    mixed = [row.any() and not row[there].all() for row, there in zip(replaced, differ, strict=True)]
    assert np.mean(mixed) > 0.7


def test_a_share_of_0_reads_nothing_but_what_the_model_said(reading):
    draw, likeliest = reading
    inputs = draw(0.0, 2)
    np.testing.assert_array_equal(inputs[:, 1:], np.asarray(likeliest(inputs))[:, :-1])
