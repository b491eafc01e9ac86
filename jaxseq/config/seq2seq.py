"""Models that go on from a source: an encoder and a decoder."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, Bounds, check_fields, refuse
from jaxseq.config.kinds import ModelConfig, register
from jaxseq.config.limits import DropoutRate, Length, Width


@register("model")
@dataclass(frozen=True)
class Seq2SeqTransformerConfig(ModelConfig):
    """The Transformer of Vaswani et al. (2017): encoder and decoder, sinusoidal positions, ReLU."""

    kind: ClassVar[str] = "seq2seq_transformer"

    features: Annotated[Width, FIXED] = 256
    """Width of the residual streams and of the embeddings."""
    layers: Annotated[int, Bounds(1, 128), FIXED] = 3
    """Blocks of the encoder."""
    decoder_layers: Annotated[int, Bounds(0, 128), FIXED] = 0
    """Blocks of the decoder; 0 for as many as the encoder has."""
    heads: Annotated[Width, FIXED] = 4
    """Attention heads; they share the width equally."""
    mlp_ratio: Annotated[int, Bounds(1, 256), FIXED] = 4
    """Width of the feed-forward layers, as a multiple of `features`."""
    norm: Annotated[Literal["pre", "post"], FIXED] = "pre"
    """Layer norms before each branch, or as published after each sum, which wants a warm-up."""
    context: Annotated[Length, FIXED] = 256
    """Target tokens that a token can attend to, itself included."""
    tie_embedding: Annotated[bool, FIXED] = True
    """Use the target's embedding matrix as the output layer too. (With data.joint the source has the same as well.)"""
    dropout: Annotated[DropoutRate, FIXED] = 0.1
    """Dropout on the embeddings, the attention weights and the residual branches."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.features % self.heads:
            raise refuse("model.features", self.features, f"it must be a multiple of model.heads ({self.heads})")
