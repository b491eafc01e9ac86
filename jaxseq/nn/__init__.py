"""Flax modules: they declare parameters and call `jaxseq.ops`."""

from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.layers import LayerNorm, Linear
from jaxseq.nn.recurrent import GRU, LSTM, GRUCarry, LSTMCarry, RNNCarry, SimpleRNN
from jaxseq.nn.transformer import Block, FeedForward

__all__ = [
    "Block",
    "FeedForward",
    "GRU",
    "GRUCarry",
    "LSTM",
    "LSTMCarry",
    "LayerNorm",
    "Linear",
    "RNNCarry",
    "SelfAttention",
    "SimpleRNN",
]
