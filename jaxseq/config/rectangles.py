"""Made-up rectangles as data."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxseq.config.fields import FIXED, Bounds, refuse
from jaxseq.config.kinds import register
from jaxseq.config.made_examples import MadeExamplesConfig


@register("data")
@dataclass(frozen=True)
class RectanglesConfig(MadeExamplesConfig):
    """Wide and tall rectangles by their corners, which come from any of the four on and either way round."""

    kind: ClassVar[str] = "rectangles"

    shortest: Annotated[float, Bounds(0, 1e3), FIXED] = 0.5
    """The shortest side there is."""
    longest: Annotated[float, Bounds(1, 1e6), FIXED] = 2.0
    """The longest side there is."""
    margin: Annotated[float, Bounds(0, 1e3), FIXED] = 0.25
    """By how much width and height differ at the least."""
    shift: Annotated[float, Bounds(-1e6, 1e6), FIXED] = 0.0
    """How far to the right of the origin all centres lie."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shortest + self.margin >= self.longest:
            remedy = f"between data.shortest ({self.shortest:g}) and data.longest ({self.longest:g}) there is no room"
            raise refuse("data.margin", self.margin, f"{remedy}, lower it")
