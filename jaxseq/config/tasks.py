"""Tasks: a kind for each of `jaxseq.tasks`."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Items, Text, check_fields, refuse
from jaxseq.config.kinds import TaskConfig, register
from jaxseq.config.limits import COUNTED, Count, CountOrZero, DropoutRate, Length


@register("task")
@dataclass(frozen=True)
class LanguageModelingConfig(TaskConfig):
    """Predict the next token, and sample."""

    kind: ClassVar[str] = "language_modeling"

    predict: Annotated[Literal["every", "last"], FIXED] = "every"
    """Train on the token after every position, or only on the one after the window."""
    objective: Annotated[Literal["full", "sampled", "adaptive"], FIXED] = "full"
    """What a token is compared with in training: the whole vocabulary; words drawn at random, which is cheaper where it
    is large ("sampled": loss and accuracy of training are then those among them, validation has all); or frequent words
    and clusters of rare ones ("adaptive": another output layer, for words numbered by frequency)."""
    samples: Annotated[Count, FIXED] = 1_000
    """Words in a draw (objective "sampled")."""
    sampler: Annotated[Literal["log_uniform", "unigram"], FIXED] = "log_uniform"
    """Chances to be drawn: by rank, about as Zipf's law has it, or by counts to the power 3/4 (objective "sampled")."""
    cutoffs: Annotated[tuple[int, ...], Items(8, Bounds(1, COUNTED)), FIXED] = (2_000, 10_000)
    """The ids that clusters of rarer words start with (objective "adaptive")."""
    prompt: Annotated[str, Text(1_000_000), FREE] = ""
    """Text that the sample at the end goes on from; "" starts at the beginning of a line."""
    sample_length: Annotated[int, Bounds(1, 10_000_000), FREE] = 400
    """Tokens of that sample."""
    temperature: Annotated[float, Bounds(1e-6, 1e6), FREE] = 0.8
    """Of sampling: below 1 safer, above 1 more varied."""

    def __post_init__(self) -> None:
        check_fields(self, "task")
        if not self.cutoffs or any(a >= b for a, b in pairwise(self.cutoffs)):
            raise refuse("task.cutoffs", self.cutoffs, "give ids that rise")


PoolingName = Literal["last", "first", "ends", "sum", "mean", "sqrt_mean", "max", "attention", "flatten"]


@register("task")
@dataclass(frozen=True)
class ClassificationConfig(TaskConfig):
    """Predict the class of a text."""

    kind: ClassVar[str] = "classification"

    pooling: Annotated[tuple[PoolingName, ...], Items(9), FIXED] = ("mean",)
    """What of the features along time the head sees, side by side: those of the last or the first token, both ("ends":
    of two directions, where each has read all), their sum, mean, sum over the square root of their number or greatest
    values, a mean weighed by learned scores, or all of them one after the other ("flatten")."""
    hidden: Annotated[int, Bounds(0, 65_536), FIXED] = 0
    """Width of a layer with ReLU between pooling and logits; 0 has none."""
    head: Annotated[Literal["linear", "bias"], FIXED] = "linear"
    """What makes logits of that: a linear layer, or a bias where it has their number already."""
    dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on what the head sees."""
    word_dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Share of the tokens of a text that are passed over in training, other ones each time (Iyyer et al. 2015)."""
    mask: Annotated[bool, FIXED] = True
    """Pass over padding. Without it the model reads the padding as if it were text."""
    vectors: Annotated[str, Text(4096, file=True), FIXED] = ""
    """File of word vectors (GloVe's, word2vec's or fastText's text, word2vec's binary format, fastText's model, or a
    .npz or .safetensors of `jaxseq export`) that the embedding starts with."""
    vocabulary: Annotated[Literal["texts", "vectors"], FIXED] = "texts"
    """Which words have an id (data.tokenizer "word"): the most frequent ones of the texts to train on, or the first
    ones of the file of vectors, so that words of no text to train on are known too."""
    unknown_vectors: Annotated[Literal["drawn", "one", "zero", "mean", "furthest"], FIXED] = "drawn"
    """What words without a vector begin with: one drawn for each, one drawn for all, zeros, the mean of the vectors,
    or the one furthest from all of them (against their mean direction, as long as they are on average)."""
    freeze_vectors: Annotated[bool, FIXED] = False
    """Leave the embedding as it starts: vectors that are given, and those drawn for words without one."""
    weights: Annotated[str, Text(4096, file=True), FIXED] = ""
    """Folder, or .safetensors in it, of a pretrained encoder that the model starts with: BERT's kind as Hugging Face
    writes it, or what `jaxseq export RUN FOLDER/` wrote of masked language modelling. Its tokenizer reads the texts."""
    freeze_weights: Annotated[bool, FIXED] = False
    """Leave that encoder as it is, and train the head alone. What it makes of the texts is then worked out once and
    kept beside the run."""
    positive: Annotated[str, Text(1000), FREE] = ""
    """Of two classes, the one whose F1 is told; by default the second."""

    def __post_init__(self) -> None:
        check_fields(self, "task")
        if not self.pooling:
            raise refuse("task.pooling", self.pooling, "name one at least")
        if self.word_dropout and not self.mask:
            raise refuse(
                "task.word_dropout", self.word_dropout, "without task.mask nothing is passed over, leave it at 0"
            )
        if self.unknown_vectors != "drawn" and not self.vectors:
            raise refuse("task.unknown_vectors", self.unknown_vectors, "give task.vectors, or leave it at drawn")
        if self.vocabulary == "vectors" and not self.vectors:
            raise refuse("task.vocabulary", self.vocabulary, "give task.vectors, the file that has the words")
        if self.weights and self.vectors:
            raise refuse("task.weights", self.weights, "the embedding is in them, leave task.vectors out")
        if self.freeze_weights:
            self._require_kept()

    @property
    def keeps_file(self) -> bool:
        """See `TaskConfig`."""
        return self.freeze_weights

    def _require_kept(self) -> None:
        """Refuses what has no part in training, or would want the features of every token."""
        if not self.weights:
            raise refuse("task.freeze_weights", True, "give task.weights, or leave it at false")
        for name in ("attention", "flatten"):
            if name in self.pooling:
                raise refuse("task.pooling", self.pooling, f"of a frozen encoder single vectors are kept, not {name}")
        if not self.mask or self.word_dropout or self.freeze_vectors:
            name = "mask" if not self.mask else "word_dropout" if self.word_dropout else "freeze_vectors"
            raise refuse(f"task.{name}", getattr(self, name), "a frozen encoder reads each text once, leave it out")


@register("task")
@dataclass(frozen=True)
class WordVectorsConfig(TaskConfig):
    """Give words that occur in the same places like vectors.

    Sentences are the lines of data of kind "lines", the baskets of kind "baskets", whose items are words here, or the
    documents of a corpus, whose layout and shift have no part in this: data.length words, or fewer, are a row of a
    batch."""

    kind: ClassVar[str] = "word_vectors"

    algorithm: Annotated[Literal["skipgram", "cbow"], FIXED] = "skipgram"
    """Predict each word around a word from its vector, or a word from the mean of the vectors around it."""
    window: Annotated[int, Bounds(1, 255), FIXED] = 5
    """Words to either side that are looked at, at the most."""
    shrink_windows: Annotated[bool, FIXED] = True
    """Look at fewer words around some: for each a number from 1 to task.window is drawn, as in word2vec, so that near
    words count for more. Without it all windows are whole."""
    negatives: Annotated[int, Bounds(1, 1000), FIXED] = 5
    """Words drawn at random that a pair is compared with."""
    shared: Annotated[int, Bounds(0, 65_536), FIXED] = 128
    """Words drawn for up to 128 centres together, standing for the negatives of all their pairs, which takes a fraction
    of the time; with fewer each counts for more, and rates as high as word2vec's may diverge. 0 draws for each pair
    alone."""
    subsample: Annotated[float, Bounds(1e-12, 1, zero=True), FIXED] = 1e-3
    """Share of the text from which on a word is kept more rarely, other occurrences in each epoch; 0 keeps all."""
    words: Annotated[tuple[str, ...], Items(64, Text(1000)), FREE] = ()
    """Words whose neighbours the run ends with; by default some of the vocabulary."""
    neighbours: Annotated[int, Bounds(1, 1000), FREE] = 8
    """How many of each."""

    def __post_init__(self) -> None:
        check_fields(self, "task")


@register("task")
@dataclass(frozen=True)
class TextVectorsConfig(TaskConfig):
    """Give each text a vector that its words are predicted by (Le and Mikolov 2014).

    Texts are those of data of kind "labelled", the lines of kind "lines", or the documents of a corpus; padding and
    layout have no part in this. The words that an epoch keeps are one stream, of which a batch has data.batch_size rows
    of 32."""

    kind: ClassVar[str] = "text_vectors"

    algorithm: Annotated[Literal["dbow", "dm"], FIXED] = "dbow"
    """Predict each word of a text from the text's vector ("dbow"), or from the mean of that and the vectors of the
    words around it ("dm")."""
    window: Annotated[int, Bounds(1, 255), FIXED] = 5
    """Words to either side that are looked at, at the most, for each word a number up to this is drawn (algorithm
    "dm")."""
    negatives: Annotated[int, Bounds(1, 1000), FIXED] = 5
    """Words drawn at random that a word is compared with."""
    shared: Annotated[int, Bounds(0, 65_536), FIXED] = 32
    """Words drawn for 32 words of a row together, standing for the negatives of all of them, which takes a fraction of
    the time; 0 draws for each alone."""
    subsample: Annotated[float, Bounds(1e-12, 1, zero=True), FIXED] = 1e-3
    """Share of the texts from which on a word is kept more rarely, other occurrences in each epoch; 0 keeps all."""
    inference_steps: Annotated[int, Bounds(1, 100_000), FREE] = 50
    """Steps of gradient descent that give a new text its vector."""
    inference_rate: Annotated[float, Bounds(1e-6, 1e6), FREE] = 1.0
    """Learning rate of the first of them, of the mean over the text's words; it falls to 0 in a straight line."""
    penalty: Annotated[float, Bounds(1e-12, 1e6), FREE] = 1e-4
    """Of the squared weights of the linear classifier that vectors of labelled texts are tried by."""
    texts: Annotated[tuple[str, ...], Items(64, Text(100_000)), FREE] = ()
    """Texts whose nearest the run ends with; by default some that are not trained on."""
    neighbours: Annotated[int, Bounds(1, 1000), FREE] = 5
    """How many of each."""

    def __post_init__(self) -> None:
        check_fields(self, "task")


Tokenization = Literal["13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none"]


@register("task")
@dataclass(frozen=True)
class TranslationConfig(TaskConfig):
    """Give each source its target: translate, token by token, with beam search."""

    kind: ClassVar[str] = "translation"

    label_smoothing: Annotated[float, Bounds(0, 0.9999), FIXED] = 0.0
    """Share of a target's probability that training gives all tokens alike (Szegedy et al. 2016); validation gives
    none."""
    objective: Annotated[Literal["full", "sampled"], FIXED] = "full"
    """What a token is compared with in training: the whole vocabulary, or words drawn at random ("sampled"); validation
    has all."""
    samples: Annotated[Count, FIXED] = 1_000
    """Words in a draw (objective "sampled")."""
    sampler: Annotated[Literal["log_uniform", "unigram"], FIXED] = "log_uniform"
    """Chances to be drawn, as in language modelling (objective "sampled")."""
    teacher: Annotated[Literal["forced", "linear", "exponential", "inverse_sigmoid"], FIXED] = "forced"
    """What the decoder reads in training: always the true token before; or, by a coin for each token, the true one or
    what it said itself, the chance of the true one falling with the steps (scheduled sampling, Bengio et al. 2015)."""
    teacher_steps: Annotated[Count, FIXED] = 10_000
    """Steps after which that chance is 0 (teacher "linear") or 1/2."""
    teacher_least: Annotated[float, Bounds(0, 1), FIXED] = 0.0
    """What it never falls below."""
    beam: Annotated[int, Bounds(1, 1_000), FREE] = 5
    """Hypotheses that beam search goes on with; 1 takes the likeliest token each time."""
    length_penalty: Annotated[float, Bounds(-10, 10), FREE] = 0.6
    """Exponent of the length that log-probabilities are divided by (Wu et al. 2016): above 0 longer translations, below
    0 shorter ones."""
    coverage_penalty: Annotated[float, Bounds(0, 1e6), FREE] = 0.0
    """Weight of a penalty for tokens of the source that got little attention (Wu et al. 2016)."""
    longest: Annotated[Length, FREE] = 100
    """Tokens of a translation at the most, its end included."""
    validation_beam: Annotated[int, Bounds(1, 1_000), FREE] = 1
    """The beam whose translations of the validation split are scored while a run trains."""
    lowercase: Annotated[bool, FREE] = False
    """Score without regard to case."""
    tokenize: Annotated[Tokenization, FREE] = "13a"
    """How BLEU cuts texts into words: sacrebleu's tokenizers; "char" for languages without spaces and for Korean, where
    "ko-mecab" wants a package; "none" for texts that are cut into words already."""
    examples: Annotated[CountOrZero, FREE] = 8
    """Translations that a run ends with, with a picture of what each word of the first one looked at."""

    def __post_init__(self) -> None:
        check_fields(self, "task")
        if self.label_smoothing and self.objective == "sampled":
            raise refuse(
                "task.label_smoothing", self.label_smoothing, "words that are drawn alone get a share, leave it 0"
            )
