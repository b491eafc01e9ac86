"""Made-up pairs as data: exercises whose every answer is known, to see in a minute whether a model learns at all."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from jaxseq.config.fields import FIXED, Bounds, refuse
from jaxseq.config.kinds import register
from jaxseq.config.limits import Count
from jaxseq.config.paired import PairedConfig
from jaxseq.config.texts import TokenizerName

Exercise = Literal["reverse", "sort", "add"]


@register("data")
@dataclass(frozen=True)
class MadeUpConfig(PairedConfig):
    """Which exercise, how its pairs become token ids, and how these become batches.

    Pairs follow from the seed of the run; no source of one split is in another."""

    kind: ClassVar[str] = "made_up"

    exercise: Annotated[Exercise, FIXED] = "reverse"
    """What the target is: the letters of the source from the last to the first ("cab", "bac") or in the order of the
    alphabet ("cab", "abc"), or the sum of two numbers ("27+5", "32")."""
    examples: Annotated[Count, FIXED] = 10_000
    """Pairs to train on."""
    held_out: Annotated[Count, FIXED] = 1_000
    """Pairs for validation, and as many to test."""
    letters: Annotated[int, Bounds(2, 26), FIXED] = 26
    """Of the alphabet that sources are drawn from (exercise "reverse" or "sort")."""
    least: Annotated[int, Bounds(1, 1_000), FIXED] = 1
    """Letters of a source, or digits of a number, at the least."""
    most: Annotated[int, Bounds(1, 1_000), FIXED] = 10
    """The same at the most."""
    tokenizer: Annotated[TokenizerName, FIXED] = "char"
    """As in every section of texts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least > self.most:
            raise refuse("data.least", self.least, f"data.most is {self.most}, give as many or fewer")
        for name in ("source", "encoding"):
            value = getattr(self, name)
            if value != getattr(MadeUpConfig, name):
                raise refuse(f"data.{name}", value, "made-up pairs are read from no file, leave it out")

    @property
    def has_validation(self) -> bool:
        """True: pairs are made up for it."""
        return True

    def elsewhere(self, source: str) -> Self:
        """Refuses: there is no other source.

        Raises:
            ConfigError: always.
        """
        raise refuse("data.kind", self.kind, f"made-up pairs are read from no file, leave {source!r} out")
