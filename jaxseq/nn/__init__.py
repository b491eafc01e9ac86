"""Flax modules: they declare parameters and call `jaxseq.ops`."""

from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.heads import BareHead, ClassificationHead, TiedHead, VocabularyHead
from jaxseq.nn.language_model import LanguageModel
from jaxseq.nn.layers import Dense, LayerNorm, Linear
from jaxseq.nn.recurrent import GRU, LSTM, GRUCarry, LSTMCarry, RNNCarry, SimpleRNN
from jaxseq.nn.sequence import CausalBody, SequenceLayer
from jaxseq.nn.transformer import Block, FeedForward

__all__ = [
    "BareHead",
    "Block",
    "CausalBody",
    "ClassificationHead",
    "Dense",
    "FeedForward",
    "GRU",
    "GRUCarry",
    "LSTM",
    "LSTMCarry",
    "LanguageModel",
    "LayerNorm",
    "Linear",
    "RNNCarry",
    "SelfAttention",
    "SequenceLayer",
    "SimpleRNN",
    "TiedHead",
    "VocabularyHead",
]
