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
    """Dropout on the embeddings and the residual branches."""
    attention_dropout: Annotated[bool, FIXED] = True
    """Drop attention weights too, at the same rate."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.features % self.heads:
            raise refuse("model.features", self.features, f"it must be a multiple of model.heads ({self.heads})")


@register("model")
@dataclass(frozen=True)
class Seq2SeqConfig(ModelConfig):
    """A recurrent encoder and a recurrent decoder that begins where it ended, with attention or without."""

    kind: ClassVar[str] = "seq2seq"

    cell: Annotated[Literal["lstm", "gru"], FIXED] = "lstm"
    """Kind of cell."""
    features: Annotated[Width, FIXED] = 256
    """Width of each layer."""
    layers: Annotated[int, Bounds(1, 64), FIXED] = 1
    """Stacked layers, of the encoder and of the decoder."""
    embedding: Annotated[Width, FIXED] = 256
    """Width of the embeddings."""
    bidirectional: Annotated[bool, FIXED] = False
    """Read sources both ways; each direction has half of the features."""
    attention: Annotated[Literal["none", "additive", "dot", "general"], FIXED] = "none"
    """How a decoder's state is compared with a source token: by a small network (Bahdanau et al. 2015), a product, or a
    product with a matrix between (Luong et al. 2015)."""
    use_scale: Annotated[bool, FIXED] = False
    """Learn a scale of the scores, as Keras's attention layers do: one number, of additive ones a weight a feature,
    as Bahdanau et al. have it."""
    input_feeding: Annotated[bool, FIXED] = False
    """Join what attention gave for a token to the embedding of the next one."""
    input_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the embeddings."""
    dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout between layers."""
    output_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on what encoder and decoder give."""
    tie_embedding: Annotated[bool, FIXED] = False
    """Use the target's embedding matrix as the output layer too, without a bias."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.tie_embedding and self.embedding != self.features:
            sizes = f"model.embedding ({self.embedding}) must be model.features ({self.features})"
            raise refuse("model.tie_embedding", True, sizes)
        if self.bidirectional and self.features % 2:
            raise refuse("model.features", self.features, "each direction has half of them, give an even number")
        if self.attention == "none":
            for name in ("use_scale", "input_feeding"):
                if getattr(self, name):
                    raise refuse(f"model.{name}", True, "there is no attention, choose model.attention")
