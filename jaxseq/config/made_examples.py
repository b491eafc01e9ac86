"""Made-up examples as data: what is common to kinds that read no file."""

from dataclasses import dataclass
from typing import Annotated, Self

from jaxseq.config.fields import FIXED, check_fields, refuse
from jaxseq.config.kinds import DataConfig
from jaxseq.config.limits import Count, Length


@dataclass(frozen=True)
class MadeExamplesConfig(DataConfig):
    """How many examples there are, and how they become batches. They follow from the seed of the run."""

    examples: Annotated[Count, FIXED] = 10_000
    """Examples to train on."""
    held_out: Annotated[Count, FIXED] = 2_000
    """Examples for validation, and as many to test."""
    batch_size: Annotated[Length, FIXED] = 64
    """Examples in a batch."""

    def __post_init__(self) -> None:
        check_fields(self, "data")
        if self.source:
            raise refuse("data.source", self.source, "examples are made up and read from no file, leave it out")

    @property
    def has_validation(self) -> bool:
        """True: examples are made up for it."""
        return True

    def elsewhere(self, source: str) -> Self:
        """Refuses: there is no other source.

        Raises:
            ConfigError: always.
        """
        raise refuse("data.kind", self.kind, f"examples are made up and read from no file, leave {source!r} out")
