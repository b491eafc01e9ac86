"""What every kind of running text says of itself: which text, how it becomes token ids, and how it is split."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Self

from jaxseq.config.fields import FIXED, FREE, Bounds, Text, refuse
from jaxseq.config.limits import Length
from jaxseq.config.texts import TextConfig


@dataclass(frozen=True)
class RunningTextConfig(TextConfig):
    """Which text, and how it becomes token ids.

    With data.min_count 1 and no data.max_words a symbol that is not known is an error."""

    source: Annotated[str, Text(4096, file=True), FREE] = "python-manual"
    """A file (.gz, .bz2, .xz and .zip are read as they are), a named pipe, a glob, a folder, a tar archive or some of
    its members ("a.tar.xz/*/train/*.txt"), "-" for standard input, "python-manual", or a text data set of
    tensorflow-datasets as "tfds:NAME[/config][:version][:split][#feature]"."""
    validation_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for a validation split of its own; data.split then has no share for it."""
    test_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for the test split."""
    split: Annotated[tuple[float, float, float], Bounds(0, 1), FIXED] = (0.9, 0.05, 0.05)
    """Shares of the source, in order, for training, validation and test."""
    length: Annotated[Length, FIXED] = 50
    """Tokens in a window."""
    batch_size: Annotated[Length, FIXED] = 32
    """Windows in a batch, or rows the corpus is cut into."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the windows of an epoch in a random order (layout "windows")."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split[0] == 0 or not math.isclose(sum(self.split), 1.0):
            raise refuse("data.split", self.split, "give three shares that add up to 1, the first above 0")
        for share, name in zip(self.split[1:], ("validation", "test"), strict=True):
            own = getattr(self, f"{name}_source")
            if share and own:
                raise refuse(f"data.{name}_source", own, f"data.split has a share for {name} too, make it 0")

    def elsewhere(self, source: str) -> Self:
        """As `DataConfig.elsewhere`: the other text is split by `split` alone."""
        return replace(self, source=source, validation_source="", test_source="")

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation split."""
        return self.split[1] > 0 or self.validation_source != ""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that hold text."""
        own = (self.source, self.validation_source, self.test_source)
        named = zip(("train", "validation", "test"), self.split, own, strict=True)
        return tuple(name for name, share, source in named if share > 0 or source)

    @property
    def sources(self) -> tuple[str, ...]:
        """All that is read, in order: the source, then those of validation and test where they have their own."""
        return tuple(filter(None, (self.source, self.validation_source, self.test_source)))
