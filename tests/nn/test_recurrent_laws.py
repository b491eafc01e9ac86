"""The five laws of the carry for every recurrent layer."""

import jax.numpy as jnp
import laws
import pytest
from subjects import of_layer

from jaxseq.nn.recurrent import GRU, LSTM, SimpleRNN

LAYERS = {
    "lstm": LSTM(5),
    "gru_reset_after": GRU(5),
    "gru_reset_before": GRU(5, reset_after=False),
    "simple_rnn": SimpleRNN(5),
}
