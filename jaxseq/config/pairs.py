"""Pairs of sentences as data: which, how they are split, and the languages' sides of them."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

from jaxseq.config.fields import FIXED, FREE, Text, refuse
from jaxseq.config.kinds import register
from jaxseq.config.paired import PairedConfig
from jaxseq.config.splits import SplitsConfig


@register("data")
@dataclass(frozen=True)
class PairsConfig(PairedConfig, SplitsConfig):
    """Which pairs of sentences, how they become token ids, and how these become batches.

    They stand in two files, line by line, or in two columns of a table. Shares of data.split are drawn by sentence: all
    pairs that have one in common are in one split. Which split that is follows from the sentences alone."""

    kind: ClassVar[str] = "pairs"

    source: Annotated[str, Text(4096, file=True), FREE] = ""
    """A file with a sentence on each line (compressed, or a member of an archive as "a.tar.gz/*/train.de"), or a glob
    for several; without data.target a table (.tsv, .csv, .jsonl, or .txt with tabs) that holds both sides."""
    target: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same with the translations, line by line; "" where the source is a table."""
    validation_target: Annotated[str, Text(4096, file=True), FREE] = ""
    """The translations of data.validation_source."""
    test_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for the test split. Of a glob for several files each is measured by itself, under its name."""
    test_target: Annotated[str, Text(4096, file=True), FREE] = ""
    """The translations of data.test_source."""
    source_column: Annotated[str, Text(1000), FIXED] = "1"
    """Column of a table that holds the source: by its name in the first line, or by its number from 1, where both
    columns are given so; the first line is a pair then."""
    target_column: Annotated[str, Text(1000), FIXED] = "2"
    """Column that holds the target."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_shares()
        for name in ("validation_", "test_"):
            source, target = getattr(self, f"{name}source"), getattr(self, f"{name}target")
            if target and not source:
                raise refuse(f"data.{name}target", target, f"give the sentences it translates by data.{name}source")
            if source and self.target and not target:
                raise refuse(f"data.{name}target", target, f"name the translations of data.{name}source")
        if self.source_column == self.target_column:
            raise refuse("data.target_column", self.target_column, "the source stands there, give another column")

    def elsewhere(self, source: str) -> Self:
        """As `DataConfig.elsewhere`: the other data are a table of pairs."""
        others = {f"{name}{side}": "" for name in ("validation_", "test_") for side in ("source", "target")}
        return replace(self, source=source, target="", **others)
