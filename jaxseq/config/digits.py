"""Pictures of digits as data: MNIST, and what is published in the same files."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxseq.config.fields import FIXED, FREE, Text, check_fields
from jaxseq.config.kinds import DataConfig, register
from jaxseq.config.limits import CountOrZero, Length


@register("data")
@dataclass(frozen=True)
class DigitsConfig(DataConfig):
    """Which digits, how many are kept for validation, and how they become batches.

    MNIST has 60,000 pictures to train on and 10,000 to test. Where a published figure is that of the test pictures
    after training on all others, data.validation 0 trains likewise, and the test split is to be measured."""

    kind: ClassVar[str] = "digits"

    source: Annotated[str, Text(4096, file=True), FREE] = "data/mnist"
    """A folder with the four files of MNIST (or of Fashion-MNIST, Kuzushiji-MNIST ...), compressed or not; or
    "tfds:mnist", a data set of pictures with classes of tensorflow-datasets, which are read in grey."""
    validation: Annotated[CountOrZero, FIXED] = 5_000
    """Pictures of those to train on that are kept for validation, drawn by the seed of the run; 0 keeps none."""
    examples: Annotated[CountOrZero, FIXED] = 0
    """Train on so many of the others at the most, drawn likewise; 0 takes all."""
    batch_size: Annotated[Length, FIXED] = 256
    """Pictures in a batch."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the pictures of an epoch in a random order."""

    def __post_init__(self) -> None:
        check_fields(self, "data")

    @property
    def has_validation(self) -> bool:
        """Whether pictures are kept for validation."""
        return self.validation > 0
