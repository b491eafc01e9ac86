"""Models that go on from a source, of any family."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseq.config import ModelConfig
from jaxseq.config.seq2seq import Seq2SeqTransformerConfig
from jaxseq.errors import ConfigError
from jaxseq.models.seq2seq_transformer import TransformerSourceEncoder, TransformerTargetDecoder
from jaxseq.nn.encoder_decoder import EncoderDecoder
from jaxseq.nn.heads import TiedHead, VocabularyHead
from jaxseq.nn.sampled_head import SampledHead
from jaxseq.nn.smoothed_head import SmoothedHead
from jaxseq.ops.proposals import Proposal


def build_encoder_decoder(
    config: ModelConfig,
    *,
    vocabulary_size: int,
    start_token: int,
    source_vocabulary: int = 0,
    label_smoothing: float = 0.0,
    proposal: Proposal | None = None,
    dtype: str = "float32",
) -> EncoderDecoder:
    """The model that `config` describes; `dtype` is the type of activations.

    Args:
        vocabulary_size: Tokens of targets.
        start_token: The id that every target begins with.
        source_vocabulary: Tokens of sources; 0 where the vocabulary is joint, and with it the embedding.
        label_smoothing: In training, the share of a target's probability that all words are given alike.
        proposal: In training compare with words drawn from it (sampled softmax); None for the full softmax.

    Raises:
        ConfigError: a model of this kind goes on from no source; there is both smoothing and a proposal.
    """
    if not isinstance(config, Seq2SeqTransformerConfig):
        raise ConfigError(f"model.kind is {config.kind!r}: a model that goes on from a source is seq2seq_transformer")
    head = (TiedHead if config.tie_embedding else VocabularyHead)(vocabulary_size)
    if proposal is not None and label_smoothing:
        raise ConfigError(
            f"label smoothing is {label_smoothing}: a sampled softmax never sees all words that smoothing gives a "
            "share, choose one of the two"
        )
    if proposal is not None:
        head = SampledHead(vocabulary_size, head, proposal)
    elif label_smoothing:
        head = SmoothedHead(vocabulary_size, head, label_smoothing)
    common = {
        "features": config.features,
        "heads": config.heads,
        "mlp_ratio": config.mlp_ratio,
        "norm": config.norm,
        "dropout": config.dropout,
        "dtype": jnp.dtype(dtype),
    }
    return EncoderDecoder(
        TransformerSourceEncoder(layers=config.layers, **common),
        TransformerTargetDecoder(layers=config.decoder_layers or config.layers, context=config.context, **common),
        head,
        embedding=config.features,
        start_token=start_token,
        source_vocabulary=source_vocabulary,
        # Times the root of the width, as they are read, the numbers of a vector have variance 1.
        initial=nn.initializers.normal(config.features**-0.5),
    )
