"""Optimizers: the learning rate and what all have in common, and a kind for each update rule (optax)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, Bounds, check_fields, refuse
from jaxseq.config.kinds import Kind, register
from jaxseq.config.limits import Count, CountOrZero

DecayRate = Annotated[float, Bounds(0, 0.999999)]
"""From 1 - 2^-25 on it is 1 in float32."""
ClippingLimit = Annotated[float, Bounds(1e-12, 1e12, zero=True)]
Epsilon = Annotated[float, Bounds(1e-30, 1000)]


@dataclass(frozen=True)
class OptimizerConfig(Kind):
    """What all optimizers have in common."""

    learning_rate: Annotated[float, Bounds(1e-37, 3e38), FIXED] = 1e-3
    """Peak learning rate."""
    schedule: Annotated[Literal["constant", "cosine", "linear", "step", "inverse_sqrt"], FIXED] = "constant"
    """Course of the learning rate after the warm-up; "inverse_sqrt" is that of the first Transformers."""
    warmup_steps: Annotated[CountOrZero, FIXED] = 0
    """Updates of linear warm-up; a run that ends within it never reaches the peak."""
    final_fraction: Annotated[float, Bounds(0, 1), FIXED] = 0.1
    """Cosine and linear: the learning rate of the run's last update, as a fraction of the peak."""
    step_every: Annotated[Count, FIXED] = 1000
    """Step schedule: updates between two reductions."""
    step_factor: Annotated[float, Bounds(1e-6, 1000), FIXED] = 0.5
    """Step schedule: factor of each reduction."""
    clip_norm: Annotated[ClippingLimit, FIXED] = 0.0
    """Clip the gradient's global norm to this; 0 leaves it."""
    clip_value: Annotated[ClippingLimit, FIXED] = 0.0
    """Clip each element of the gradient to this; 0 leaves it."""
    accumulate: Annotated[Count, FIXED] = 1
    """Batches whose gradients are averaged into one update; the last update of a run takes what is left."""
    ema_decay: Annotated[DecayRate, FIXED] = 0.0
    """Decay of a moving average of the parameters, with which the run is validated and used; 0 for none."""
    rows: Annotated[bool, FIXED] = False
    """Update only the rows of embeddings that a batch saw: of sgd and adagrad the same numbers; the others become lazy,
    moments of rows that were not seen stay as they are."""
    row_cap: Annotated[CountOrZero, FIXED] = 0
    """Divide the update of a row that a batch saw count times by max(1, count / row_cap), with rows; 0 leaves it."""

    def __post_init__(self) -> None:
        check_fields(self, "optimizer")
        if self.row_cap and not self.rows:
            raise refuse("optimizer.row_cap", self.row_cap, "without optimizer.rows no rows are counted, set it to 0")
        if self.rows and self.accumulate > 1:
            raise refuse("optimizer.rows", True, f"optimizer.accumulate ({self.accumulate}) must be 1 then")
        for name in ("momentum", "weight_decay", "ema_decay"):
            if self.rows and (value := getattr(self, name, 0)):
                moved = f"optimizer.{name} ({value:g}) moves rows that no batch saw, set it to 0"
                raise refuse("optimizer.rows", True, moved)


@register("optimizer")
@dataclass(frozen=True)
class AdamConfig(OptimizerConfig):
    """Adam (Kingma and Ba 2015)."""

    kind: ClassVar[str] = "adam"

    b1: Annotated[DecayRate, FIXED] = 0.9
    """Decay of the first moment."""
    b2: Annotated[DecayRate, FIXED] = 0.999
    """Decay of the second moment."""
    eps: Annotated[Epsilon, FIXED] = 1e-8
    """Added to the denominator, as in PyTorch; Keras adds 1e-7, and elsewhere (see jaxseq/training/optim.py)."""


@register("optimizer")
@dataclass(frozen=True)
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: ClassVar[str] = "adamw"

    weight_decay: Annotated[float, Bounds(0, 1000), FIXED] = 0.0
    """Fraction of the weights, times the learning rate, that an update takes off; biases and norms are left alone."""


@register("optimizer")
@dataclass(frozen=True)
class RMSpropConfig(OptimizerConfig):
    """RMSprop (Hinton 2012), with momentum."""

    kind: ClassVar[str] = "rmsprop"

    decay: Annotated[DecayRate, FIXED] = 0.9
    """Decay of the squared gradients."""
    eps: Annotated[Epsilon, FIXED] = 1e-8
    """Added to the denominator, as in PyTorch; Keras adds 1e-7, and elsewhere (see jaxseq/training/optim.py)."""
    momentum: Annotated[DecayRate, FIXED] = 0.0
    """Momentum of the rescaled gradient."""


@register("optimizer")
@dataclass(frozen=True)
class AdadeltaConfig(OptimizerConfig):
    """Adadelta (Zeiler 2012)."""

    kind: ClassVar[str] = "adadelta"

    learning_rate: Annotated[float, Bounds(1e-37, 3e38), FIXED] = 1.0
    """Peak learning rate; 1 leaves the rule as it is, as in the paper, in PyTorch and in old versions of Keras; newer
    ones take a thousandth of it."""
    decay: Annotated[DecayRate, FIXED] = 0.9
    """Decay of the squared gradients and updates."""
    eps: Annotated[Epsilon, FIXED] = 1e-8
    """Added under both roots; PyTorch's default is 1e-6."""


@register("optimizer")
@dataclass(frozen=True)
class AdagradConfig(OptimizerConfig):
    """Adagrad (Duchi, Hazan and Singer 2011)."""

    kind: ClassVar[str] = "adagrad"

    eps: Annotated[Epsilon, FIXED] = 1e-10
    """Added to the denominator, as in PyTorch; Keras adds 1e-7 under the root."""
    initial: Annotated[float, Bounds(1e-30, 1000, zero=True), FIXED] = 0.0
    """What the sums of squared gradients start from, as in PyTorch; in Keras 0.1."""


@register("optimizer")
@dataclass(frozen=True)
class SGDConfig(OptimizerConfig):
    """Stochastic gradient descent, with momentum."""

    kind: ClassVar[str] = "sgd"

    momentum: Annotated[DecayRate, FIXED] = 0.0
    """Momentum of the gradient."""
