"""Flax modules: they declare parameters and call `jaxseq.ops`."""

from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.bidirectional import Bidirectional, BidirectionalCarry
from jaxseq.nn.embedding import Embedding, given_table
from jaxseq.nn.layers import LayerNorm, Linear
from jaxseq.nn.pooling import POOLINGS, AttentionPooling, Pooling
from jaxseq.nn.recurrent import GRU, LSTM, GRUCarry, LSTMCarry, RNNCarry, SimpleRNN
from jaxseq.nn.transformer import Block, FeedForward

__all__ = [
    "AttentionPooling",
    "Bidirectional",
    "BidirectionalCarry",
    "Block",
    "Embedding",
    "FeedForward",
    "GRU",
    "GRUCarry",
    "LSTM",
    "LSTMCarry",
    "LayerNorm",
    "Linear",
    "POOLINGS",
    "Pooling",
    "RNNCarry",
    "SelfAttention",
    "SimpleRNN",
    "given_table",
]
