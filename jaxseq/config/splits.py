"""What data sections that are cut into splits say of that."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Self

from jaxseq.config.fields import FIXED, FREE, Bounds, Text, refuse
from jaxseq.config.kinds import DataConfig


@dataclass(frozen=True)
class SplitsConfig(DataConfig):
    """Which splits there are: shares of the source, or sources of their own."""

    validation_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for a validation split of its own; data.split then has no share for it."""
    test_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for the test split."""
    split: Annotated[tuple[float, float, float], Bounds(0, 1), FIXED] = (0.9, 0.05, 0.05)
    """Shares of the source, in order, for training, validation and test."""

    def require_shares(self) -> None:
        """Refuses shares that do not add up, and a split that has a share and a source.

        Raises:
            ConfigError: there are such.
        """
        if self.split[0] == 0 or not math.isclose(sum(self.split), 1.0):
            raise refuse("data.split", self.split, "give three shares that add up to 1, the first above 0")
        for share, name in zip(self.split[1:], ("validation", "test"), strict=True):
            own = getattr(self, f"{name}_source")
            if share and own:
                raise refuse(f"data.{name}_source", own, f"data.split has a share for {name} too, make it 0")

    def elsewhere(self, source: str) -> Self:
        """As `DataConfig.elsewhere`: the other data are split by `split` alone."""
        return replace(self, source=source, validation_source="", test_source="")

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation split."""
        return self.split[1] > 0 or self.validation_source != ""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that hold data."""
        own = (self.source, self.validation_source, self.test_source)
        named = zip(("train", "validation", "test"), self.split, own, strict=True)
        return tuple(name for name, share, source in named if share > 0 or source)

    @property
    def sources(self) -> tuple[str, ...]:
        """All that is read, in order: the source, then those of validation and test where they have their own."""
        return tuple(filter(None, (self.source, self.validation_source, self.test_source)))
