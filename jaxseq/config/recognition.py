"""Recognition of what is shown: the task, and the models that it trains."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Items, check_fields, refuse
from jaxseq.config.kinds import ModelConfig, TaskConfig, register
from jaxseq.config.limits import WIDEST


@register("task")
@dataclass(frozen=True)
class RecognitionConfig(TaskConfig):
    """Tell which of two classes something is of, by one unit."""

    kind: ClassVar[str] = "recognition"

    examples: Annotated[int, Bounds(1, 50), FREE] = 12
    """How many examples a run ends with at the most: of rectangles those it is wrong about, of pictures the first."""

    def __post_init__(self) -> None:
        check_fields(self, "task")


@register("model")
@dataclass(frozen=True)
class CornersConfig(ModelConfig):
    """Linear layers for every corner of a figure, and a last one that sees what they make of all; for data of kind
    "rectangles"."""

    kind: ClassVar[str] = "corners"

    points: Annotated[tuple[int, ...], Items(8, Bounds(1, WIDEST)), FIXED] = (3, 1)
    """Widths of the layers for a corner, the same for every one."""
    activation: Annotated[Literal["leaky_relu", "relu", "none"], FIXED] = "leaky_relu"
    """Behind each of these but the last one of several; the slope of "leaky_relu" below zero is 0.3."""
    bias: Annotated[bool, FIXED] = False
    """Of all layers."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        if not self.points:
            raise refuse("model.points", self.points, "give one width or more")


@register("model")
@dataclass(frozen=True)
class DetectorConfig(ModelConfig):
    """Convolutions over a picture and one linear unit; for data of kind "hands"."""

    kind: ClassVar[str] = "detector"

    filters: Annotated[tuple[int, ...], Items(16, Bounds(1, WIDEST)), FIXED] = (16,)
    """Filters of each convolution, each with ReLU; none leaves the linear unit alone."""
    kernel: Annotated[int, Bounds(1, 64), FIXED] = 5
    """Rows and columns of every kernel."""
    stride: Annotated[int, Bounds(1, 64), FIXED] = 5
    """Pixels from one place of a kernel to the next, across and down."""
    padding: Annotated[Literal["valid", "same"], FIXED] = "valid"
    """None, or zeros all round so that there is a place for every stride of pixels."""
    pool: Annotated[int, Bounds(1, 64), FIXED] = 1
    """Rows and columns of the windows of a max-pooling behind every convolution; 1 has none."""
    places: Annotated[Literal["each", "mean", "max"], FIXED] = "each"
    """What the linear unit sees: every number of the last map, or the mean or the maximum of each filter over all
    places, so that it has one weight for each and what is learned of one place holds for all."""
    bias: Annotated[bool, FIXED] = False
    """Of all layers."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
