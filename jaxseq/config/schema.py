"""An experiment as frozen dataclasses: the one place where every knob, its meaning and its default stand.

The command line is derived from these classes by tyro, `config.json` in a run directory holds one, and
`ExperimentConfig()` is the quickstart. Checks that need one field, or several of one section, are made here when a
section is built, so that a bad value is refused before anything is read or written.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jaxseq.errors import ConfigError

NormalizerName = Literal["lowercase", "nfc", "nfkc", "unix_newlines", "collapse_whitespace"]


def _require(ok: bool, name: str, value: object, remedy: str) -> None:
    if not ok:
        raise ConfigError(f"{name} is {value!r}: {remedy}")


def _require_rate(name: str, value: float) -> None:
    _require(0.0 <= value < 1.0, name, value, "a dropout rate lies in [0, 1)")


def _require_positive(section: str, config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        _require(0 < value < math.inf, f"{section}.{name}", value, "give a number above 0")


def _require_not_negative(section: str, config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        _require(0 <= value < math.inf, f"{section}.{name}", value, "give 0 or a number above 0")


@dataclass(frozen=True)
class DataConfig:
    """Which text, how it becomes token ids, and how these become batches."""

    source: str = "python-manual"
    """A file (.gz, .xz and .zip are read as they are), a glob, a folder, "-" for standard input, "python-manual", or a
    text data set of tensorflow-datasets as "tfds:NAME[/config][:version][:split][#feature]"."""
    encoding: str = "utf-8"
    """Encoding of the files."""
    normalize: tuple[NormalizerName, ...] = ()
    """Normalisers applied to the text, in this order."""
    tokenizer: Literal["char", "jamo", "byte"] = "char"
    """Characters, Hangul taken apart into compatibility jamo, or the bytes of UTF-8."""
    min_count: int = 1
    """Symbols rarer than this become <unk>, as do unknown ones later; with 1 these are an error."""
    split: tuple[float, float, float] = (0.9, 0.05, 0.05)
    """Shares of the tokens, in order, for training, validation and test."""
    layout: Literal["windows", "rows"] = "rows"
    """"windows": independent windows, each from the initial carry. "rows": contiguous rows, the carry handed on."""
    length: int = 50
    """Tokens in a window."""
    shift: int = 1
    """Tokens between the starts of neighbouring windows (layout "windows")."""
    batch_size: int = 32
    """Windows in a batch, or rows the corpus is cut into."""
    shuffle: bool = True
    """Draw the windows of an epoch in a random order (layout "windows")."""
    memory_map: bool = False
    """Write the token ids to the run directory once and map them into memory: for a corpus larger than memory."""

    def __post_init__(self) -> None:
        _require_positive("data", self, "min_count", "length", "shift", "batch_size")
        _require(
            all(share >= 0 for share in self.split) and self.split[0] > 0 and math.isclose(sum(self.split), 1.0),
            "data.split",
            self.split,
            "give three shares of 0 or more that add up to 1, the first above 0",
        )
        _require(
            self.min_count == 1 or self.tokenizer != "byte",
            "data.min_count",
            self.min_count,
            "the byte tokenizer knows every byte, leave it at 1",
        )


@dataclass(frozen=True)
class RNNConfig:
    """A recurrent language model: input, a stack of cells, a linear layer to the vocabulary."""

    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    """Kind of cell; "rnn" is the simple recurrent network with tanh."""
    reset_after: bool = True
    """GRU: apply the reset gate after the recurrent product (PyTorch, Keras's default) or before it."""
    features: int = 256
    """Width of each layer's state."""
    layers: int = 1
    """Stacked layers."""
    embedding: int = 0
    """Width of the token embedding; 0 feeds one-hot vectors."""
    input_dropout: float = 0.0
    """Dropout on the input of the first layer."""
    dropout: float = 0.0
    """Dropout between layers."""
    output_dropout: float = 0.0
    """Dropout on the output of the last layer."""
    recurrent_dropout: float = 0.0
    """Dropout on the state that enters the recurrent product, one mask for all steps of a window."""
    variational: bool = False
    """Use one mask for all steps of a window in the other dropouts too, as Keras does in its recurrent layers."""
    predict: Literal["every", "last"] = "every"
    """Train on the token after every position, or only on the one after the window."""

    def __post_init__(self) -> None:
        _require_positive("model", self, "features", "layers")
        _require_not_negative("model", self, "embedding")
        for name in ("input_dropout", "dropout", "output_dropout", "recurrent_dropout"):
            _require_rate(f"model.{name}", getattr(self, name))


@dataclass(frozen=True)
class TransformerConfig:
    """A decoder-only Transformer, pre-norm, whose carry is its key/value cache."""

    features: int = 128
    """Width of the residual stream."""
    layers: int = 4
    """Blocks."""
    heads: int = 4
    """Attention heads; they share the width equally."""
    context: int = 64
    """Tokens a position can attend to, itself included; also the length of the cache."""
    positions: Literal["learned", "sinusoidal", "rotary"] = "rotary"
    """How positions enter."""
    mlp_ratio: int = 4
    """Width of the feed-forward layer, as a multiple of `features`."""
    bias: bool = False
    """Biases in linear layers and layer norms."""
    tie_embedding: bool = True
    """Use the embedding matrix as the output layer too."""
    dropout: float = 0.0
    """Dropout on the embedding, the attention weights and both residual branches."""

    def __post_init__(self) -> None:
        _require_positive("model", self, "features", "layers", "heads", "context", "mlp_ratio")
        _require_rate("model.dropout", self.dropout)
        _require(
            self.features % self.heads == 0,
            "model.features",
            self.features,
            f"it must be a multiple of model.heads ({self.heads})",
        )


ModelConfig = RNNConfig | TransformerConfig


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become updates (optax)."""

    name: Literal["adam", "adamw", "rmsprop", "adadelta", "sgd"] = "adam"
    """Update rule."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "step"] = "constant"
    """Course of the learning rate after the warm-up."""
    warmup_steps: int = 0
    """Updates of linear warm-up."""
    final_fraction: float = 0.1
    """Cosine: the learning rate of the run's last update, as a fraction of the peak."""
    step_every: int = 1000
    """Step schedule: updates between two reductions."""
    step_factor: float = 0.5
    """Step schedule: factor of each reduction."""
    b1: float = 0.9
    """Adam: decay of the first moment."""
    b2: float = 0.999
    """Adam: decay of the second moment."""
    eps: float = 1e-8
    """Added to the denominator, as in PyTorch; Keras adds 1e-7, and elsewhere (see jaxseq/training/optim.py)."""
    decay: float = 0.9
    """RMSprop and Adadelta: decay of the squared gradients."""
    momentum: float = 0.0
    """SGD and RMSprop: momentum."""
    weight_decay: float = 0.0
    """AdamW: decoupled weight decay; biases and norms are left alone."""
    clip_norm: float = 0.0
    """Clip the gradient's global norm to this; 0 leaves it."""
    clip_value: float = 0.0
    """Clip each element of the gradient to this; 0 leaves it."""
    accumulate: int = 1
    """Batches whose gradients are averaged into one update; the last update of a run takes what is left."""

    def __post_init__(self) -> None:
        _require_positive("optimizer", self, "learning_rate", "step_every", "step_factor", "eps", "accumulate")
        _require_not_negative(
            "optimizer", self, "warmup_steps", "final_fraction", "momentum", "weight_decay", "clip_norm", "clip_value"
        )
        for name in ("b1", "b2", "decay"):
            value = getattr(self, name)
            _require(0.0 <= value < 1.0, f"optimizer.{name}", value, "a decay rate lies in [0, 1)")


@dataclass(frozen=True)
class TrainConfig:
    """How long, how often, on what, and what to do when something goes wrong."""

    epochs: int = 1
    """Passes over the training split; ignored where `steps` is given."""
    steps: int = 0
    """Batches to train on; 0 counts by `epochs`."""
    seed: int = 0
    """Seed of initialisation, shuffling, dropout and samples."""
    log_every: int = 50
    """Steps between rows of metrics.csv; 0 for once an epoch."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation split; 0 for once an epoch."""
    evaluate_batches: int = 0
    """Batches in such an evaluation; 0 for the whole split. The last evaluation is always of the whole split."""
    checkpoint_every: int = 0
    """Steps between checkpoints; 0 for once an epoch."""
    keep: int = 3
    """Newest checkpoints kept, beside the best one."""
    steps_per_dispatch: int = 10
    """Steps run by one call of the compiled function."""
    devices: int = 0
    """Devices that share a batch; 0 takes all. On CPU each core is one, on a GPU machine each GPU."""
    allocator: Literal["tuned", "default"] = "tuned"
    """CPU: keep freed memory in the process instead of handing it back to the system after every step."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of activations; parameters, optimizer state and loss stay float32."""
    patience: int = 0
    """Stop after this many evaluations without a better validation loss; 0 never does."""
    max_nonfinite: int = 10
    """Steps in a row with a non-finite loss or gradient that are skipped before the run goes back to its last good
    checkpoint."""
    max_rollbacks: int = 3
    """Times a run goes back, each time with half the learning rate, before it gives up."""
    debug_nonfinite: bool = False
    """Look for the first non-finite loss or gradient and name the operation that made it: goes on from the run's newest
    checkpoint, if there is a run, and writes nothing."""

    def __post_init__(self) -> None:
        _require_positive("train", self, "keep", "steps_per_dispatch", "max_nonfinite")
        _require_not_negative(
            "train",
            self,
            "epochs",
            "steps",
            "seed",
            "log_every",
            "evaluate_every",
            "evaluate_batches",
            "checkpoint_every",
            "devices",
            "patience",
            "max_rollbacks",
        )
        _require(self.epochs > 0 or self.steps > 0, "train.epochs", self.epochs, "give train.epochs or train.steps")
        _require(self.seed < 2**32, "train.seed", self.seed, "give a number below 2^32")


@dataclass(frozen=True)
class SampleConfig:
    """The sample a run ends with."""

    prompt: str = ""
    """Text to go on from; "" starts at the beginning of a line."""
    length: int = 400
    """Tokens to sample."""
    temperature: float = 0.8
    """Below 1 safer, above 1 more varied."""

    def __post_init__(self) -> None:
        _require_positive("sample", self, "length", "temperature")
        _require(self.temperature >= 1e-6, "sample.temperature", self.temperature, "give a number from 1e-6 on")


@dataclass(frozen=True)
class ExperimentConfig:
    """One experiment. Its run directory is runs/NAME."""

    name: str = "quickstart"
    """Name of the run directory under runs/."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = RNNConfig(features=320, output_dropout=0.3)
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=5e-3, schedule="cosine", warmup_steps=50, clip_norm=1.0)
    train: TrainConfig = TrainConfig(epochs=8)
    sample: SampleConfig = SampleConfig(temperature=0.7)

    def __post_init__(self) -> None:
        plain = Path(self.name).name == self.name and self.name not in ("", "..")
        _require(plain, "name", self.name, "it names a directory under runs/, --run-dir takes a path")
        _require(
            self.train.patience == 0 or self.data.split[1] > 0,
            "train.patience",
            self.train.patience,
            "without a validation split there is nothing to wait for, leave it at 0 or give data.split another one",
        )
