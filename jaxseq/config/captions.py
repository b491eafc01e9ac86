"""Pictures with captions as data: which, how they are split, and how both become batches."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

from jaxseq.config.captioned import CaptionedConfig
from jaxseq.config.fields import FIXED, FREE, Text, refuse
from jaxseq.config.kinds import register
from jaxseq.config.splits import SplitsConfig


@register("data")
@dataclass(frozen=True)
class CaptionsConfig(CaptionedConfig, SplitsConfig):
    """Which pictures and captions, how they are split, and how they become batches.

    Shares of data.split are drawn by the names of pictures, and those that are the same to the last pixel go together.
    Which split a picture is in follows from its name alone."""

    kind: ClassVar[str] = "captions"

    source: Annotated[str, Text(4096, file=True), FREE] = ""
    """A folder of pictures or an archive of them (zip or tar), read as it is; or "tfds:NAME", a data set of pictures
    and captions of tensorflow-datasets."""
    captions: Annotated[str, Text(4096, file=True), FREE] = ""
    """The table of captions (.tsv, .csv, .jsonl, Flickr8k's .txt or COCO's .json); "" where it is the only one in
    data.source."""
    picture_column: Annotated[str, Text(1000), FIXED] = "image"
    """Column of a table that holds the names of pictures."""
    validation_captions: Annotated[str, Text(4096, file=True), FREE] = ""
    """The captions of data.validation_source."""
    test_captions: Annotated[str, Text(4096, file=True), FREE] = ""
    """The captions of data.test_source."""
    combinations: Annotated[str, Text(1000), FIXED] = ""
    """Language whose captions are combinations of two parts, as "waving hand: dark skin tone". Those for validation and
    test are combinations then that are never seen together in training, though each part is with others: data.split has
    their shares, and all that is no combination is trained on. "" splits pictures by name."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_shares()
        for name in ("validation", "test"):
            source, captions = getattr(self, f"{name}_source"), getattr(self, f"{name}_captions")
            if captions and not source:
                raise refuse(f"data.{name}_captions", captions, f"give the pictures by data.{name}_source")
        if self.combinations and not (self.split[1] and self.split[2]):
            raise refuse("data.combinations", self.combinations, "give data.split shares for validation and test")
        if self.combinations and self.languages and self.combinations not in self.languages:
            raise refuse("data.combinations", self.combinations, f"name one of data.languages, {self.languages}")

    def elsewhere(self, source: str) -> Self:
        """As `DataConfig.elsewhere`: the other data are pictures with a table among them."""
        others = {f"{name}_{what}": "" for name in ("validation", "test") for what in ("source", "captions")}
        return replace(self, source=source, captions="", **others)
