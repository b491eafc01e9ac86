"""Made-up pictures to find hands in, as data."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxseq.config.fields import FIXED, Bounds
from jaxseq.config.kinds import register
from jaxseq.config.limits import Count, Length
from jaxseq.config.made_examples import MadeExamplesConfig


@register("data")
@dataclass(frozen=True)
class HandsConfig(MadeExamplesConfig):
    """Pictures with a hand among other things, and pictures with other things alone."""

    kind: ClassVar[str] = "hands"

    examples: Annotated[Count, FIXED] = 4_000
    """Pictures to train on. They are drawn when their batch is due, none is kept."""
    held_out: Annotated[Count, FIXED] = 400
    """Pictures for validation, and as many to test."""
    batch_size: Annotated[Length, FIXED] = 8
    """Pictures in a batch."""
    size: Annotated[tuple[int, int], Bounds(16, 4_096), FIXED] = (1080, 1920)
    """Height and width in pixels. Things are 0.4 to 0.8 of the shorter side."""
    alike: Annotated[float, Bounds(0, 1), FIXED] = 0.0
    """Share of the other things that have a colour of skin too; the rest have more green or blue than red."""
    halves: Annotated[bool, FIXED] = False
    """Everything lies in the left half of pictures to train on, and in the right half of those held out."""
