"""Autoencoders of pictures: the task, and the model that it trains."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Items, check_fields, refuse
from jaxseq.config.kinds import ModelConfig, TaskConfig, register
from jaxseq.config.limits import WIDEST

PaddingName = Literal["same", "valid"]


@register("task")
@dataclass(frozen=True)
class AutoencodingConfig(TaskConfig):
    """Give each picture back from a small code of it."""

    kind: ClassVar[str] = "autoencoding"

    noise: Annotated[float, Bounds(0, 100), FIXED] = 0.0
    """Deviation of normal noise on the pixels that the encoder reads, which are in 0 to 1 and stay there; what is to
    come back is the picture without it. In training it is drawn anew for every batch, elsewhere it is that of the
    picture, always the same."""
    examples: Annotated[int, Bounds(1, 50), FREE] = 10
    """Pictures that a run ends with, above what came back of them."""

    def __post_init__(self) -> None:
        check_fields(self, "task")


@register("model")
@dataclass(frozen=True)
class AutoencoderConfig(ModelConfig):
    """Convolutions and max-poolings down to a small code, convolutions and upsamplings back up.

    A picture must come back in its size: which paddings and how many poolings and upsamplings do that is told before
    anything is trained."""

    kind: ClassVar[str] = "autoencoder"

    filters: Annotated[tuple[int, ...], Items(16, Bounds(1, WIDEST)), FIXED] = (16, 8, 4)
    """Features of each convolution of the encoder, all with ReLU; the decoder has the same from the last to the first,
    and one convolution more that makes pixels."""
    kernel: Annotated[int, Bounds(1, 64), FIXED] = 3
    """Rows and columns of every kernel."""
    padding: Annotated[PaddingName, FIXED] = "same"
    """Of the encoder's convolutions: the size stays, or "valid", no padding."""
    poolings: Annotated[int, Bounds(0, 16), FIXED] = 3
    """Max-poolings, behind the first so many convolutions of the encoder."""
    pool_padding: Annotated[PaddingName, FIXED] = "same"
    """What becomes of a rest that fills no window: it is pooled alone, or "valid", left out."""
    factor: Annotated[int, Bounds(2, 16), FIXED] = 2
    """Rows and columns that a pooling makes one of, and an upsampling makes of one."""
    transposed: Annotated[bool, FIXED] = False
    """Transposed convolutions in the decoder; "valid" ones make a picture larger."""
    upsampling: Annotated[Literal["nearest", "nails", "unpool"], FIXED] = "nearest"
    """What a number becomes on the way up: itself everywhere in its square, itself in a corner of it among zeros (bed
    of nails), or itself where the pooling of that size found its maximum (max-unpooling), and zeros elsewhere."""
    upsamplings: Annotated[int, Bounds(0, 16), FIXED] = 3
    """Upsamplings, behind the first so many convolutions of the decoder."""
    decoder_padding: Annotated[tuple[PaddingName, ...], Items(16), FIXED] = ("same", "same", "valid")
    """Of the decoder's convolutions but the last, which is "same": one for each, or one for all."""

    def __post_init__(self) -> None:
        check_fields(self, "model")
        count = len(self.filters)
        if not count:
            raise refuse("model.filters", self.filters, "give one number or more")
        if len(self.decoder_padding) not in (1, count):
            remedy = f"give one for all, or {count}, as model.filters"
            raise refuse("model.decoder_padding", self.decoder_padding, remedy)
        for name in ("poolings", "upsamplings"):
            if (value := getattr(self, name)) > count:
                raise refuse(
                    f"model.{name}", value, f"there are {count} convolutions they stand behind, give at most that"
                )
