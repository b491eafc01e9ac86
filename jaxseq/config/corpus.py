"""Running text as data: which, how it becomes token ids, and how these become batches."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Items, Text, check_fields, refuse
from jaxseq.config.kinds import DataConfig, register
from jaxseq.config.limits import Count, Length

NormalizerName = Literal[
    "lowercase", "nfc", "nfkc", "unix_newlines", "collapse_whitespace", "breaks_to_spaces", "letters_only"
]


@register("data")
@dataclass(frozen=True)
class CorpusConfig(DataConfig):
    """Which text, how it becomes token ids, and how these become batches."""

    kind: ClassVar[str] = "corpus"

    source: Annotated[str, Text(4096, file=True), FREE] = "python-manual"
    """A file (.gz, .bz2, .xz and .zip are read as they are), a named pipe, a glob, a folder, "-" for standard input,
    "python-manual", or a text data set of tensorflow-datasets as "tfds:NAME[/config][:version][:split][#feature]"."""
    encoding: Annotated[str, Text(100), FREE] = "utf-8"
    """Encoding of the files."""
    normalize: Annotated[tuple[NormalizerName, ...], Items(16), FIXED] = ()
    """Normalisers applied to the text, in this order."""
    tokenizer: Annotated[Literal["char", "jamo", "byte"], FIXED] = "char"
    """Characters, Hangul taken apart into compatibility jamo, or the bytes of UTF-8."""
    min_count: Annotated[Count, FIXED] = 1
    """Symbols rarer than this become <unk>, as do unknown ones later; with 1 these are an error."""
    split: Annotated[tuple[float, float, float], Bounds(0, 1), FIXED] = (0.9, 0.05, 0.05)
    """Shares of the tokens, in order, for training, validation and test."""
    layout: Annotated[Literal["windows", "rows"], FIXED] = "rows"
    """"windows": independent windows, each from the initial carry. "rows": contiguous rows, the carry handed on."""
    length: Annotated[Length, FIXED] = 50
    """Tokens in a window."""
    shift: Annotated[Count, FIXED] = 1
    """Tokens between the starts of neighbouring windows (layout "windows")."""
    batch_size: Annotated[Length, FIXED] = 32
    """Windows in a batch, or rows the corpus is cut into."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the windows of an epoch in a random order (layout "windows")."""
    memory_map: Annotated[bool, FREE] = False
    """Write the token ids to the run directory once and map them into memory: for a corpus larger than memory."""

    def __post_init__(self) -> None:
        check_fields(self, "data")
        if self.split[0] == 0 or not math.isclose(sum(self.split), 1.0):
            raise refuse("data.split", self.split, "give three shares that add up to 1, the first above 0")
        if self.min_count != 1 and self.tokenizer == "byte":
            raise refuse("data.min_count", self.min_count, "the byte tokenizer knows every byte, leave it at 1")

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation split."""
        return self.split[1] > 0
