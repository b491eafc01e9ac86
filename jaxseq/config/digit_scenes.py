"""Made scenes of digits with captions as data: what a caption must say is known, and where each digit lies."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from jaxseq.config.captioned import CaptionedConfig
from jaxseq.config.fields import FIXED, FREE, Bounds, Items, Text, refuse
from jaxseq.config.kinds import register
from jaxseq.config.limits import Count

SceneLanguage = Literal["english", "korean"]
_LEAST_SIDE = 32


@register("data")
@dataclass(frozen=True)
class DigitScenesConfig(CaptionedConfig):
    """How many digits in how large a picture, in which languages, and how scenes become batches.

    Scenes follow from the seed of the run; no picture of a digit is in two splits. They are grey."""

    kind: ClassVar[str] = "digit_scenes"

    source: Annotated[str, Text(4096, file=True), FREE] = "data/mnist"
    """The folder with the four files of MNIST that digits are taken from."""
    digits: Annotated[int, Bounds(1, 3), FIXED] = 2
    """Digits in a scene."""
    examples: Annotated[Count, FIXED] = 20_000
    """Scenes to train on."""
    held_out: Annotated[Count, FIXED] = 2_000
    """Scenes for validation, and as many to test."""
    size: Annotated[tuple[int, int], Bounds(_LEAST_SIDE, 4_096), FIXED] = (48, 48)
    """Height and width of a scene in pixels."""
    channels: Annotated[int, Bounds(1, 1), FIXED] = 1
    """Scenes are grey."""
    languages: Annotated[tuple[SceneLanguage, ...], Items(2), FIXED] = ("english", "korean")
    """Languages that captions are learned in."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.languages:
            raise refuse("data.languages", self.languages, "name one at least")
        if self.encoding != CaptionedConfig.encoding:
            raise refuse("data.encoding", self.encoding, "captions of scenes are read from no file, leave it out")

    @property
    def has_validation(self) -> bool:
        """True: scenes are made for it."""
        return True

    def elsewhere(self, source: str) -> Self:
        """Refuses: scenes are made, there are no others.

        Raises:
            ConfigError: always.
        """
        raise refuse("data.kind", self.kind, f"scenes are made up, leave {source!r} out")
