"""An experiment as frozen dataclasses: the one place where every knob, its meaning and its default stand.

The command line is derived from these classes by tyro, `config.json` in a run directory holds one, and
`ExperimentConfig()` is the quickstart. Beside every field stands what it may hold, and whether a run may go on with
another value (`jaxseq.config.fields`). Both this and what concerns several fields is checked when a section is built,
so that a bad value is refused before anything is read or written.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from jaxseq.config.fields import END, FIXED, FREE, Bounds, Items, Text, check_fields, refuse

NormalizerName = Literal[
    "lowercase", "nfc", "nfkc", "unix_newlines", "collapse_whitespace", "breaks_to_spaces", "letters_only"
]

_COUNTED = 2**31 - 1
"""Steps are counted in int32."""
_LONGEST, _WIDEST = 2**20, 2**16
"""Of windows and batches; of layers. Whether a model fits into memory is seen where its text is known."""

Count = Annotated[int, Bounds(1, _COUNTED)]
CountOrZero = Annotated[int, Bounds(0, _COUNTED)]
Length = Annotated[int, Bounds(1, _LONGEST)]
Width = Annotated[int, Bounds(1, _WIDEST)]
DropoutRate = Annotated[float, Bounds(0, 0.9999)]
DecayRate = Annotated[float, Bounds(0, 0.999999)]
"""From 1 - 2^-25 on it is 1 in float32."""
ClippingLimit = Annotated[float, Bounds(1e-12, 1e12, zero=True)]


@dataclass(frozen=True)
class DataConfig:
    """Which text, how it becomes token ids, and how these become batches."""

    source: Annotated[str, Text(4096, file=True), FREE] = "python-manual"
    """A file (.gz, .bz2, .xz and .zip are read as they are), a named pipe, a glob, a folder, "-" for standard input,
    "python-manual", or a text data set of tensorflow-datasets as "tfds:NAME[/config][:version][:split][#feature]"."""
    encoding: Annotated[str, Text(100), FREE] = "utf-8"
    """Encoding of the files."""
    normalize: Annotated[tuple[NormalizerName, ...], Items(16), FIXED] = ()
    """Normalisers applied to the text, in this order."""
    tokenizer: Annotated[Literal["char", "jamo", "byte"], FIXED] = "char"
    """Characters, Hangul taken apart into compatibility jamo, or the bytes of UTF-8."""
    min_count: Annotated[Count, FIXED] = 1
    """Symbols rarer than this become <unk>, as do unknown ones later; with 1 these are an error."""
    split: Annotated[tuple[float, float, float], Bounds(0, 1), FIXED] = (0.9, 0.05, 0.05)
    """Shares of the tokens, in order, for training, validation and test."""
    layout: Annotated[Literal["windows", "rows"], FIXED] = "rows"
    """"windows": independent windows, each from the initial carry. "rows": contiguous rows, the carry handed on."""
    length: Annotated[Length, FIXED] = 50
    """Tokens in a window."""
    shift: Annotated[Count, FIXED] = 1
    """Tokens between the starts of neighbouring windows (layout "windows")."""
    batch_size: Annotated[Length, FIXED] = 32
    """Windows in a batch, or rows the corpus is cut into."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the windows of an epoch in a random order (layout "windows")."""
    memory_map: Annotated[bool, FREE] = False
    """Write the token ids to the run directory once and map them into memory: for a corpus larger than memory."""

    def __post_init__(self) -> None:
        check_fields(self, "data")
        if self.split[0] == 0 or not math.isclose(sum(self.split), 1.0):
            raise refuse("data.split", self.split, "give three shares that add up to 1, the first above 0")
        if self.min_count != 1 and self.tokenizer == "byte":
            raise refuse("data.min_count", self.min_count, "the byte tokenizer knows every byte, leave it at 1")


@dataclass(frozen=True)
class RNNConfig:
    """A recurrent language model: input, a stack of cells, a linear layer to the vocabulary."""

    cell: Annotated[Literal["lstm", "gru", "rnn"], FIXED] = "lstm"
    """Kind of cell; "rnn" is the simple recurrent network with tanh."""
    reset_after: Annotated[bool, FIXED] = True
    """GRU: apply the reset gate after the recurrent product (PyTorch, Keras's default) or before it."""
    features: Annotated[Width, FIXED] = 256
    """Width of each layer's state."""
    layers: Annotated[int, Bounds(1, 64), FIXED] = 1
    """Stacked layers."""
    embedding: Annotated[int, Bounds(0, _WIDEST), FIXED] = 0
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
    predict: Annotated[Literal["every", "last"], FIXED] = "every"
    """Train on the token after every position, or only on the one after the window."""

    def __post_init__(self) -> None:
        check_fields(self, "model")


@dataclass(frozen=True)
class TransformerConfig:
    """A decoder-only Transformer, pre-norm, whose carry is its key/value cache."""

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
    bias: Annotated[bool, FIXED] = False
    """Biases in linear layers and layer norms."""
    tie_embedding: Annotated[bool, FIXED] = True
    """Use the embedding matrix as the output layer too."""
    dropout: Annotated[DropoutRate, FIXED] = 0.0
    """Dropout on the embedding, the attention weights and both residual branches."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        width, rest = divmod(self.features, self.heads)
        if rest:
            raise refuse("model.features", self.features, f"it must be a multiple of model.heads ({self.heads})")
        if self.positions == "rotary" and width % 2:
            raise refuse(
                "model.features / model.heads", width, "rotary positions turn pairs, make it even or choose others"
            )


ModelConfig = RNNConfig | TransformerConfig


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become updates (optax)."""

    name: Annotated[Literal["adam", "adamw", "rmsprop", "adadelta", "sgd"], FIXED] = "adam"
    """Update rule."""
    learning_rate: Annotated[float, Bounds(1e-37, 3e38), FIXED] = 1e-3
    """Peak learning rate."""
    schedule: Annotated[Literal["constant", "cosine", "step"], FIXED] = "constant"
    """Course of the learning rate after the warm-up."""
    warmup_steps: Annotated[CountOrZero, FIXED] = 0
    """Updates of linear warm-up; a run that ends within it never reaches the peak."""
    final_fraction: Annotated[float, Bounds(0, 1), FIXED] = 0.1
    """Cosine: the learning rate of the run's last update, as a fraction of the peak."""
    step_every: Annotated[Count, FIXED] = 1000
    """Step schedule: updates between two reductions."""
    step_factor: Annotated[float, Bounds(1e-6, 1000), FIXED] = 0.5
    """Step schedule: factor of each reduction."""
    b1: Annotated[DecayRate, FIXED] = 0.9
    """Adam: decay of the first moment."""
    b2: Annotated[DecayRate, FIXED] = 0.999
    """Adam: decay of the second moment."""
    eps: Annotated[float, Bounds(1e-30, 1000), FIXED] = 1e-8
    """Added to the denominator, as in PyTorch; Keras adds 1e-7, and elsewhere (see jaxseq/training/optim.py)."""
    decay: Annotated[DecayRate, FIXED] = 0.9
    """RMSprop and Adadelta: decay of the squared gradients."""
    momentum: Annotated[DecayRate, FIXED] = 0.0
    """SGD and RMSprop: momentum."""
    weight_decay: Annotated[float, Bounds(0, 1000), FIXED] = 0.0
    """AdamW: decoupled weight decay; biases and norms are left alone."""
    clip_norm: Annotated[ClippingLimit, FIXED] = 0.0
    """Clip the gradient's global norm to this; 0 leaves it."""
    clip_value: Annotated[ClippingLimit, FIXED] = 0.0
    """Clip each element of the gradient to this; 0 leaves it."""
    accumulate: Annotated[Count, FIXED] = 1
    """Batches whose gradients are averaged into one update; the last update of a run takes what is left."""

    def __post_init__(self) -> None:
        check_fields(self, "optimizer")


@dataclass(frozen=True)
class TrainConfig:
    """How long, how often, on what, and what to do when something goes wrong."""

    epochs: Annotated[CountOrZero, END] = 1
    """Passes over the training split; ignored where `steps` is given."""
    steps: Annotated[CountOrZero, END] = 0
    """Batches to train on; 0 counts by `epochs`."""
    seed: Annotated[int, Bounds(0, 2**32 - 1), FIXED] = 0
    """Seed of initialisation, shuffling, dropout and samples."""
    log_every: Annotated[CountOrZero, FREE] = 50
    """Steps between rows of metrics.csv; 0 for once an epoch."""
    evaluate_every: Annotated[CountOrZero, FREE] = 0
    """Steps between evaluations on the validation split; 0 for once an epoch."""
    evaluate_batches: Annotated[CountOrZero, FREE] = 0
    """Batches in such an evaluation; 0 for the whole split. The last evaluation is always of the whole split."""
    checkpoint_every: Annotated[CountOrZero, FREE] = 0
    """Steps between checkpoints; 0 for once an epoch."""
    keep: Annotated[Count, FREE] = 3
    """Newest checkpoints kept, beside the best one."""
    steps_per_dispatch: Annotated[Count, FREE] = 10
    """Steps run by one call of the compiled function."""
    devices: Annotated[int, Bounds(0, 1024), FIXED] = 0
    """Devices that share a batch; 0 takes all. On CPU each core is one, on a GPU machine each GPU."""
    allocator: Annotated[Literal["tuned", "default"], FREE] = "tuned"
    """CPU: keep freed memory in the process instead of handing it back to the system after every step."""
    compute_dtype: Annotated[Literal["float32", "bfloat16"], FIXED] = "float32"
    """Type of activations; parameters, optimizer state and loss stay float32."""
    metric: Annotated[str, Text(100), FIXED] = ""
    """Validation metric that selects the best checkpoint, and that `patience` waits for; by default the loss."""
    patience: Annotated[CountOrZero, FREE] = 0
    """Stop after this many evaluations without a better value of that metric; 0 never does."""
    max_nonfinite: Annotated[Count, FREE] = 10
    """Steps in a row with a non-finite loss or gradient that are skipped before the run goes back to its last good
    checkpoint."""
    max_rollbacks: Annotated[int, Bounds(0, 100), FREE] = 3
    """Times a run goes back, each time with half the learning rate, before it gives up."""
    debug_nonfinite: Annotated[bool, FREE] = False
    """Look for the first non-finite loss or gradient and name the operation that made it: goes on from the run's newest
    checkpoint, if there is a run, and writes nothing."""

    def __post_init__(self) -> None:
        check_fields(self, "train")
        if self.epochs == self.steps == 0:
            raise refuse("train.epochs", 0, "give train.epochs or train.steps")


@dataclass(frozen=True)
class SampleConfig:
    """The sample a run ends with."""

    prompt: Annotated[str, Text(1_000_000), FREE] = ""
    """Text to go on from; "" starts at the beginning of a line."""
    length: Annotated[int, Bounds(1, 10_000_000), FREE] = 400
    """Tokens to sample."""
    temperature: Annotated[float, Bounds(1e-6, 1e6), FREE] = 0.8
    """Below 1 safer, above 1 more varied."""

    def __post_init__(self) -> None:
        check_fields(self, "sample")


@dataclass(frozen=True)
class ExperimentConfig:
    """One experiment. Its run directory is runs/NAME."""

    name: Annotated[str, Text(255, file=True), FREE] = "quickstart"
    """Name of the run directory under runs/."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = RNNConfig(features=320, output_dropout=0.3)
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=5e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0)
    train: TrainConfig = TrainConfig(epochs=8)
    sample: SampleConfig = SampleConfig(temperature=0.7)

    def __post_init__(self) -> None:
        check_fields(self, "")
        if Path(self.name).name != self.name or self.name in ("", ".."):
            raise refuse("name", self.name, "it names a directory under runs/, --run-dir takes a path")
        if self.train.patience and self.data.split[1] == 0:
            remedy = (
                "without a validation split there is nothing to wait for, leave it at 0 or give data.split another one"
            )
            raise refuse("train.patience", self.train.patience, remedy)
