"""Models: a kind for each family in `jaxseq.models`."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, Bounds, Text, check_fields, refuse
from jaxseq.config.kinds import ModelConfig, register
from jaxseq.config.limits import WIDEST, DropoutRate, Length, Width


@register("model")
@dataclass(frozen=True)
class RNNConfig(ModelConfig):
    """A stack of recurrent layers over embedded or one-hot tokens."""

    kind: ClassVar[str] = "rnn"

    cell: Annotated[Literal["lstm", "gru", "rnn"], FIXED] = "lstm"
    """Kind of cell; "rnn" is the simple recurrent network with tanh."""
    reset_after: Annotated[bool, FIXED] = True
    """GRU: apply the reset gate after the recurrent product (PyTorch, Keras's default) or before it."""
    features: Annotated[Width, FIXED] = 256
    """Width of each layer's state."""
    layers: Annotated[int, Bounds(1, 64), FIXED] = 1
    """Stacked layers."""
    bidirectional: Annotated[bool, FIXED] = False
    """Read every text both ways; each direction has `features`. Not for language models."""
    embedding: Annotated[int, Bounds(0, WIDEST), FIXED] = 0
    """Width of the token embedding; 0 feeds one-hot vectors."""
    input_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the input of the first layer."""
    dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout between layers."""
    output_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the output of the last layer."""
    recurrent_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the state that enters the recurrent product, one mask for all steps of a window."""
    variational: Annotated[bool, FIXED] = False
    """Use one mask for all steps of a window in the other dropouts too, as Keras does in its recurrent layers."""
    tie_embedding: Annotated[bool, FIXED] = False
    """Use the embedding matrix as the output layer too, without a bias; for language models."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.tie_embedding and self.embedding != self.features:
            sizes = f"model.embedding ({self.embedding}) must be model.features ({self.features})"
            raise refuse("model.tie_embedding", True, sizes)


@register("model")
@dataclass(frozen=True)
class TransformerConfig(ModelConfig):
    """A decoder-only Transformer, pre-norm, whose carry is its key/value cache."""

    kind: ClassVar[str] = "transformer"

    features: Annotated[Width, FIXED] = 128
    """Width of the residual stream."""
    layers: Annotated[int, Bounds(1, 128), FIXED] = 4
    """Blocks."""
    heads: Annotated[Width, FIXED] = 4
    """Attention heads; they share the width equally."""
    context: Annotated[Length, FIXED] = 64
    """Tokens a position can attend to, itself included; also the length of the cache."""
    positions: Annotated[Literal["learned", "sinusoidal", "rotary"], FIXED] = "rotary"
    """How positions enter."""
    mlp_ratio: Annotated[int, Bounds(1, 256), FIXED] = 4
    """Width of the feed-forward layer, as a multiple of `features`."""
    activation: Annotated[Literal["gelu", "gelu_tanh"], FIXED] = "gelu"
    """Of the feed-forward layer: GELU as it is, or its approximation by tanh, as GPT-2 has it."""
    bias: Annotated[bool, FIXED] = False
    """Biases in linear layers and layer norms."""
    tie_embedding: Annotated[bool, FIXED] = True
    """Use the embedding matrix as the output layer too."""
    dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the embedding, the attention weights and both residual branches."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        _require_heads(self.features, self.heads, self.positions)


@register("model")
@dataclass(frozen=True)
class BagConfig(ModelConfig):
    """Embedded tokens, whatever their order."""

    kind: ClassVar[str] = "bag"

    features: Annotated[Width, FIXED] = 100
    """Width of the embedding."""

    def __post_init__(self) -> None:
        check_fields(self, "model")


@register("model")
@dataclass(frozen=True)
class WindowBagConfig(ModelConfig):
    """The mean of the last few embedded tokens, for language models."""

    kind: ClassVar[str] = "window_bag"

    features: Annotated[Width, FIXED] = 8
    """Width of the embedding."""
    window: Annotated[int, Bounds(1, 4096), FIXED] = 4
    """Tokens that are averaged, the current one included."""
    hidden: Annotated[int, Bounds(0, 65_536), FIXED] = 8
    """Width of a layer with ReLU on the mean; 0 has none."""

    def __post_init__(self) -> None:
        check_fields(self, "model")


@register("model")
@dataclass(frozen=True)
class NGramConfig(ModelConfig):
    """Counts of n-grams with interpolated modified Kneser-Ney smoothing, for language models.

    They are counted once, whatever the optimizer and the length of the training; or read from a file."""

    kind: ClassVar[str] = "ngram"

    order: Annotated[int, Bounds(1, 16), FIXED] = 3
    """n: a token is predicted from the n - 1 before it."""
    arpa: Annotated[str, Text(4096, file=True), FIXED] = ""
    """An ARPA file, as of KenLM or SRILM, to take the probabilities from instead of counting. Its words are those of
    the vocabulary: data.tokenizer_file may be the same file."""

    def __post_init__(self) -> None:
        check_fields(self, "model")


@register("model")
@dataclass(frozen=True)
class NBSVMConfig(ModelConfig):
    """One weight for each token, scaled by its log-count ratio (naive Bayes) in the texts to train on.

    It is a classifier with task.pooling sum, task.head bias and data.distinct."""

    kind: ClassVar[str] = "nbsvm"

    smoothing: Annotated[float, Bounds(1e-6, 1e6), FIXED] = 1.0
    """Added to each count, so that a token that one class never has is no proof."""

    def __post_init__(self) -> None:
        check_fields(self, "model")


@register("model")
@dataclass(frozen=True)
class EncoderConfig(ModelConfig):
    """A Transformer whose tokens see all of their text."""

    kind: ClassVar[str] = "encoder"

    features: Annotated[Width, FIXED] = 128
    """Width of the residual stream."""
    layers: Annotated[int, Bounds(1, 128), FIXED] = 2
    """Blocks."""
    heads: Annotated[Width, FIXED] = 4
    """Attention heads; they share the width equally."""
    context: Annotated[Length, FIXED] = 512
    """Rows of the table of positions (positions "learned"); no text may be longer."""
    positions: Annotated[Literal["learned", "sinusoidal", "rotary"], FIXED] = "rotary"
    """How positions enter."""
    segments: Annotated[int, Bounds(0, 16), FIXED] = 0
    """Parts of a text that are told apart by a vector of their own, 2 for pairs of texts; 0 tells none apart."""
    norm: Annotated[Literal["pre", "post"], FIXED] = "pre"
    """Normalise what a branch reads, or what it leaves, as BERT does."""
    epsilon: Annotated[float, Bounds(1e-12, 1), FIXED] = 1e-5
    """What norms add to a variance; BERT adds 1e-12."""
    mlp_ratio: Annotated[int, Bounds(1, 256), FIXED] = 4
    """Width of the feed-forward layer, as a multiple of `features`."""
    bias: Annotated[bool, FIXED] = True
    """Biases in linear layers and layer norms."""
    dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the embedding, the attention weights and both residual branches."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        _require_heads(self.features, self.heads, self.positions)


@register("model")
@dataclass(frozen=True)
class VectorsConfig(ModelConfig):
    """Vectors of words, and of their character n-grams as in fastText; for the tasks word_vectors and, without
    n-grams, text_vectors."""

    kind: ClassVar[str] = "vectors"

    features: Annotated[Width, FIXED] = 100
    """Width of the vectors."""
    buckets: Annotated[int, Bounds(0, 2**26), FIXED] = 0
    """Vectors that character n-grams share by their hash: a word's vector is the mean of its own and those of its
    n-grams, so that every word has one. 0 has no n-grams."""
    shortest: Annotated[int, Bounds(1, 64), FIXED] = 3
    """Characters of an n-gram at the least, "<" and ">" around the word counted in."""
    longest: Annotated[int, Bounds(1, 64), FIXED] = 6
    """Characters of an n-gram at the most."""
    jamo: Annotated[bool, FIXED] = False
    """Take n-grams of Hangul taken apart into jamo, with a mark behind each syllable."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if self.shortest > self.longest:
            raise refuse("model.shortest", self.shortest, f"give model.longest ({self.longest}) or less")
        if self.jamo and not self.buckets:
            raise refuse("model.jamo", True, "it is of n-grams, give model.buckets")


def _require_heads(features: int, heads: int, positions: str) -> None:
    width, rest = divmod(features, heads)
    if rest:
        raise refuse("model.features", features, f"it must be a multiple of model.heads ({heads})")
    if positions == "rotary" and width % 2:
        raise refuse(
            "model.features / model.heads", width, "rotary positions turn pairs, make it even or choose others"
        )
