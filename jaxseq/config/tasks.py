"""Tasks: a kind for each of `jaxseq.tasks`."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Text, check_fields
from jaxseq.config.kinds import TaskConfig, register


@register("task")
@dataclass(frozen=True)
class LanguageModelingConfig(TaskConfig):
    """Predict the next token, and sample."""

    kind: ClassVar[str] = "language_modeling"

    predict: Annotated[Literal["every", "last"], FIXED] = "every"
    """Train on the token after every position, or only on the one after the window."""
    prompt: Annotated[str, Text(1_000_000), FREE] = ""
    """Text that the sample at the end goes on from; "" starts at the beginning of a line."""
    sample_length: Annotated[int, Bounds(1, 10_000_000), FREE] = 400
    """Tokens of that sample."""
    temperature: Annotated[float, Bounds(1e-6, 1e6), FREE] = 0.8
    """Of sampling: below 1 safer, above 1 more varied."""

    def __post_init__(self) -> None:
        check_fields(self, "task")
