"""What is learned from text alone before there is a task: hidden tokens, and whether sentences follow each other."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Text, check_fields, refuse
from jaxseq.config.kinds import TaskConfig, register
from jaxseq.config.limits import CountOrZero, Length
from jaxseq.config.splits import SplitsConfig
from jaxseq.config.texts import SplitterName, TextConfig, TokenizerName


@register("task")
@dataclass(frozen=True)
class MaskedLanguageModelingConfig(TaskConfig):
    """Find tokens that are hidden, and tell whether the second of two texts follows the first."""

    kind: ClassVar[str] = "masked_language_modeling"

    pairs: Annotated[bool, FIXED] = False
    """Read two runs of sentences at a time, and tell whether the second follows the first or is from another document
    (next-sentence prediction, Devlin et al. 2019)."""
    share: Annotated[float, Bounds(1e-3, 1), FIXED] = 0.15
    """Share of a text's tokens that are to be found."""
    masked: Annotated[float, Bounds(0, 1), FIXED] = 0.8
    """Share of these that [MASK] stands in for."""
    random: Annotated[float, Bounds(0, 1), FIXED] = 0.1
    """Share of these that another token stands in for; the others stay what they are."""
    choice: Annotated[Literal["number", "coin"], FIXED] = "number"
    """As many of each text as the share comes to, one at the least, or a coin for each token."""
    examples: Annotated[CountOrZero, FREE] = 8
    """Texts that a run ends with, with what it finds."""

    def __post_init__(self) -> None:
        check_fields(self, "task")
        if self.masked + self.random > 1:
            raise refuse("task.random", self.random, f"with task.masked ({self.masked}) it adds up to 1 at the most")


@register("data")
@dataclass(frozen=True)
class DocumentsConfig(TextConfig, SplitsConfig):
    """Documents, which are made of sentences, and how these become examples [CLS] A [SEP] or [CLS] A [SEP] B [SEP].

    Shares of data.split are shares of the documents, in order."""

    kind: ClassVar[str] = "documents"

    source: Annotated[str, Text(4096, file=True), FREE] = "python-manual"
    """As that of a corpus: a file, a glob, a folder, an archive, "-", or "tfds:NAME"."""
    form: Annotated[Literal["texts", "lines", "blocks", "wikitext"], FIXED] = "texts"
    """What a document is: a whole text, a line, what stands between empty lines, or what a heading " = Title = "
    begins, as in WikiText."""
    tokenizer: Annotated[TokenizerName, FIXED] = "wordpiece"
    """As in every section of texts, but pieces of words unless said otherwise."""
    splitter: Annotated[SplitterName, FIXED] = "words_and_marks"
    """How a text is split into words (tokenizer "word")."""
    length: Annotated[Length, FIXED] = 128
    """Tokens of an example at the most."""
    lengths: Annotated[int, Bounds(1, 64), FIXED] = 4
    """Distinct lengths that batches of single texts have, so that short ones are not padded to the longest."""
    batch_size: Annotated[Length, FIXED] = 64
    """Examples in a batch."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the examples of an epoch in a random order."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_shares()
