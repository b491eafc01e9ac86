"""Captions of pictures: the task, and the model that looks at a picture while it writes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Items, check_fields, refuse
from jaxseq.config.kinds import ModelConfig, TaskConfig, register
from jaxseq.config.limits import WIDEST, CountOrZero, DropoutRate, Length, Width
from jaxseq.config.tasks import Tokenization


@register("task")
@dataclass(frozen=True)
class CaptioningConfig(TaskConfig):
    """Say what each picture shows, token by token, with beam search; in each language of the data, from one encoder."""

    kind: ClassVar[str] = "captioning"

    label_smoothing: Annotated[float, Bounds(0, 0.9999), FIXED] = 0.0
    """Share of a target's probability that training gives all tokens alike (Szegedy et al. 2016); validation gives
    none."""
    beam: Annotated[int, Bounds(1, 1_000), FREE] = 3
    """Hypotheses that beam search goes on with; 1 takes the likeliest token each time."""
    length_penalty: Annotated[float, Bounds(-10, 10), FREE] = 0.6
    """Exponent of the length that log-probabilities are divided by (Wu et al. 2016): above 0 longer captions, below 0
    shorter ones."""
    longest: Annotated[Length, FREE] = 50
    """Tokens of a caption at the most, its end included."""
    validation_beam: Annotated[int, Bounds(1, 1_000), FREE] = 1
    """The beam whose captions of the validation split are scored while a run trains."""
    lowercase: Annotated[bool, FREE] = False
    """Score without regard to case."""
    tokenize: Annotated[Literal["by language", Tokenization], FREE] = "by language"
    """How BLEU cuts texts into words: sacrebleu's tokenizers; "by language" takes single characters for Korean and
    Japanese, "zh" for Chinese and "13a" for others."""
    examples: Annotated[CountOrZero, FREE] = 8
    """Captions that a run ends with, with a picture of where each word of the first one looked."""

    def __post_init__(self) -> None:
        check_fields(self, "task")


@register("model")
@dataclass(frozen=True)
class CaptionerConfig(ModelConfig):
    """Convolutions that make a grid of features of a picture, and a recurrent decoder that looks at its cells
    (Xu et al. 2015)."""

    kind: ClassVar[str] = "captioner"

    filters: Annotated[tuple[int, ...], Items(16, Bounds(1, WIDEST)), FIXED] = (16, 32, 64, 64)
    """Features of each 3 x 3 convolution, all with ReLU."""
    poolings: Annotated[int, Bounds(0, 16), FIXED] = 2
    """Max-poolings, behind the first so many convolutions, each of which halves the sides: two of them make a grid of
    12 x 12 cells from 48 x 48 pixels."""
    positions: Annotated[Literal["none", "learned", "coordinates"], FIXED] = "learned"
    """What is added to the features of a cell to tell where it lies: a vector of its own, or a linear function of its
    row and column."""
    cell: Annotated[Literal["lstm", "gru"], FIXED] = "lstm"
    """Kind of the decoder's cells."""
    features: Annotated[Width, FIXED] = 256
    """Width of each of its layers."""
    layers: Annotated[int, Bounds(1, 64), FIXED] = 1
    """Its stacked layers."""
    embedding: Annotated[Width, FIXED] = 128
    """Width of the embeddings of tokens."""
    attention: Annotated[Literal["none", "additive", "dot", "general"], FIXED] = "additive"
    """How a decoder's state is compared with a cell: by a small network (Bahdanau et al. 2015), a product, or a product
    with a matrix between (Luong et al. 2015). Without attention the mean of the grid, which it begins with, is all it
    sees."""
    use_scale: Annotated[bool, FIXED] = True
    """Learn a scale of the scores: one number, of additive ones a weight a feature, as Bahdanau et al. have it."""
    input_feeding: Annotated[bool, FIXED] = False
    """Join what attention gave for a token to the embedding of the next one."""
    picture_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the features of cells."""
    input_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the embeddings."""
    dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout between the decoder's layers."""
    output_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on what the decoder gives."""
    tie_embedding: Annotated[bool, FIXED] = False
    """Use the embedding matrix as the output layer too, without a bias."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if not self.filters:
            raise refuse("model.filters", self.filters, "give one number or more")
        if self.poolings > len(self.filters):
            remedy = f"there are {len(self.filters)} convolutions they stand behind, give at most that"
            raise refuse("model.poolings", self.poolings, remedy)
        if self.tie_embedding and self.embedding != self.features:
            sizes = f"model.embedding ({self.embedding}) must be model.features ({self.features})"
            raise refuse("model.tie_embedding", True, sizes)
        if self.attention == "dot" and self.filters[-1] != self.features:
            sizes = f"the last of model.filters ({self.filters[-1]}) must be model.features ({self.features})"
            raise refuse("model.attention", "dot", sizes)
        if self.attention == "none" and self.input_feeding:
            raise refuse("model.input_feeding", True, "there is no attention, choose model.attention")
