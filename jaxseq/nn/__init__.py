"""Flax modules: they declare parameters and call `jaxseq.ops`."""

from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.bidirectional import Bidirectional, BidirectionalCarry
from jaxseq.nn.classifier import Classifier
from jaxseq.nn.embedding import Embedding, given_table
from jaxseq.nn.heads import BareHead, ClassificationHead, TiedHead, VocabularyHead
from jaxseq.nn.language_model import LanguageModel
from jaxseq.nn.layers import Dense, LayerNorm, Linear
from jaxseq.nn.pooling import POOLINGS, AttentionPooling, Pooling
from jaxseq.nn.recurrent import GRU, LSTM, GRUCarry, LSTMCarry, RNNCarry, SimpleRNN
from jaxseq.nn.sequence import CausalBody, SequenceLayer
from jaxseq.nn.transformer import Block, FeedForward

__all__ = [
    "AttentionPooling",
    "BareHead",
    "Bidirectional",
    "BidirectionalCarry",
    "Block",
    "CausalBody",
    "ClassificationHead",
    "Classifier",
    "Dense",
    "Embedding",
    "FeedForward",
    "GRU",
    "GRUCarry",
    "LSTM",
    "LSTMCarry",
    "LanguageModel",
    "LayerNorm",
    "Linear",
    "POOLINGS",
    "Pooling",
    "RNNCarry",
    "SelfAttention",
    "SequenceLayer",
    "SimpleRNN",
    "TiedHead",
    "VocabularyHead",
    "given_table",
]
