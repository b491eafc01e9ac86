"""Flax modules: they declare parameters and call `jaxseq.ops`."""

from jaxseq.nn.adaptive_head import AdaptiveHead
from jaxseq.nn.attention import SelfAttention
from jaxseq.nn.bidirectional import Bidirectional, BidirectionalCarry
from jaxseq.nn.causal_conv import CausalConv, ConvCarry
from jaxseq.nn.classifier import Classifier
from jaxseq.nn.conv import Conv, ConvTranspose
from jaxseq.nn.decoder_block import DecoderBlock
from jaxseq.nn.embedding import Embedding, given_table
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.nn.frequency_order import require_frequency_order
from jaxseq.nn.heads import BareHead, ClassificationHead, TiedHead, VocabularyHead
from jaxseq.nn.language_model import LanguageModel
from jaxseq.nn.layers import Dense, LayerNorm, Linear
from jaxseq.nn.multi_head import MultiHeadAttention
from jaxseq.nn.picture_decoder import PictureDecoder
from jaxseq.nn.pooling import POOLINGS, AttentionPooling, Pooling
from jaxseq.nn.recurrent import GRU, LSTM, GRUCarry, LSTMCarry, RNNCarry, SimpleRNN
from jaxseq.nn.sampled_head import SampledHead
from jaxseq.nn.scheduled_sampling import own_inputs
from jaxseq.nn.scored_attention import ScoredAttention
from jaxseq.nn.sequence import CausalBody, SequenceLayer
from jaxseq.nn.smoothed_head import SmoothedHead
from jaxseq.nn.target_model import TargetModel
from jaxseq.nn.transformer import Block, FeedForward

__all__ = [
    "AdaptiveHead",
    "AttentionPooling",
    "BareHead",
    "Bidirectional",
    "BidirectionalCarry",
    "Block",
    "CausalBody",
    "CausalConv",
    "ClassificationHead",
    "Classifier",
    "Conv",
    "ConvCarry",
    "ConvTranspose",
    "DecoderBlock",
    "Dense",
    "Embedding",
    "EncoderDecoder",
    "FeedForward",
    "GRU",
    "GRUCarry",
    "LSTM",
    "LSTMCarry",
    "LanguageModel",
    "LayerNorm",
    "Linear",
    "MultiHeadAttention",
    "POOLINGS",
    "PictureDecoder",
    "Pooling",
    "RNNCarry",
    "SampledHead",
    "ScoredAttention",
    "SelfAttention",
    "SequenceLayer",
    "SimpleRNN",
    "SmoothedHead",
    "TargetModel",
    "TiedHead",
    "VocabularyHead",
    "given_table",
    "own_inputs",
    "require_frequency_order",
]
