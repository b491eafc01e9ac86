"""Lines as data: each a sequence of its own with a start and an end."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED
from jaxseq.config.kinds import register
from jaxseq.config.running_text import RunningTextConfig


@register("data")
@dataclass(frozen=True)
class LinesConfig(RunningTextConfig):
    """Which text, how its lines become sequences of token ids from <start> to <end>, and how these become batches.

    Lines without a token are left out. Shares of data.split are shares of the lines."""

    kind: ClassVar[str] = "lines"

    layout: Annotated[Literal["padded", "packed"], FIXED] = "padded"
    """"padded": a line a row, padding behind it. "packed": lines follow each other in a row, each from the initial
    carry; one that a row's end cuts goes on in the next row from the initial carry."""
    headings: Annotated[bool, FIXED] = True
    """Read lines that end in a colon too; without it they are left out, as the names of speakers in plays."""
