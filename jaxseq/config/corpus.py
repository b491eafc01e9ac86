"""A corpus as data: running text, its documents laid end to end and cut into windows or rows."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, refuse
from jaxseq.config.kinds import register
from jaxseq.config.limits import Count
from jaxseq.config.running_text import RunningTextConfig


@register("data")
@dataclass(frozen=True)
class CorpusConfig(RunningTextConfig):
    """Which text, how it becomes token ids, and how these become batches."""

    kind: ClassVar[str] = "corpus"

    layout: Annotated[Literal["windows", "rows"], FIXED] = "rows"
    """"windows": independent windows, each from the initial carry. "rows": contiguous rows, the carry handed on."""
    shift: Annotated[Count, FIXED] = 1
    """Tokens between the starts of neighbouring windows (layout "windows")."""
    memory_map: Annotated[bool, FREE] = False
    """Write the token ids to the run directory once and map them into memory: for a corpus larger than memory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory_map and len(self.sources) > 1:
            raise refuse("data.memory_map", True, "it holds one source: split that by data.split, or leave it out")

    @property
    def keeps_file(self) -> bool:
        """See `DataConfig`."""
        return self.memory_map
