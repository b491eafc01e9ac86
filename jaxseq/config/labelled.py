"""Labelled texts as data: which, how they become token ids, and how these become batches."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxseq.config.fields import FIXED, FREE, Bounds, Text, refuse
from jaxseq.config.kinds import register
from jaxseq.config.limits import Count, CountOrZero, Length
from jaxseq.config.texts import SplitterName, TextConfig, TokenizerName

Side = Literal["pre", "post"]


@register("data")
@dataclass(frozen=True)
class LabelledConfig(TextConfig):
    """Which texts and labels, how they become token ids, and how these become batches."""

    kind: ClassVar[str] = "labelled"

    source: Annotated[str, Text(4096, file=True), FREE] = ""
    """A folder of folders of classes (with train/ and test/ above them or not) or an archive of one, read as it is, or
    a glob for the only such; a .csv, .tsv or .jsonl, or a folder or glob of such whose names tell their part; or
    "tfds:NAME"."""
    test_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for the test split, where the source has none or another one is wanted."""
    text_column: Annotated[str, Text(1000), FREE] = "text"
    """Column, key or feature that holds the text."""
    label_column: Annotated[str, Text(1000), FREE] = "label"
    """Column, key or feature that holds the label."""
    validation: Annotated[float, Bounds(0, 0.9), FIXED] = 0.1
    """Share of the texts to train on that is kept for validation, drawn at random from each class; not used where the
    source has a validation part of its own."""
    examples: Annotated[CountOrZero, FIXED] = 0
    """Train on so many of the texts at most, drawn at random from each class; 0 takes all."""
    characters: Annotated[CountOrZero, FIXED] = 0
    """Read the first so many characters of a text only, counted before normalising; 0 reads all."""
    tokenizer: Annotated[TokenizerName, FIXED] = "word"
    """As in every section of texts, but words unless said otherwise."""
    splitter: Annotated[SplitterName, FIXED] = "words_and_marks"
    """How a text is split into words (tokenizer "word")."""
    buckets: Annotated[CountOrZero, FIXED] = 0
    """Ids that all other words share, one for each by a hash; 0 gives them one id together (tokenizer "word")."""
    unknown: Annotated[Literal["unk", "drop"], FIXED] = "unk"
    """What becomes of words that are left out where they have no buckets: they share one id, or are passed over
    (tokenizer "word" or "morpheme")."""
    ngrams: Annotated[int, Bounds(1, 5), FIXED] = 1
    """Add the n-grams of up to so many tokens to the tokens of a text, behind them."""
    ngram_buckets: Annotated[Count, FIXED] = 1_000_000
    """Ids that the n-grams share by a hash."""
    distinct: Annotated[bool, FIXED] = False
    """Read each token of a text once, n-grams too, where it stands first."""
    delimit: Annotated[bool, FIXED] = False
    """Put [CLS] before each text and [SEP] behind it, where a longer text is cut as well, as encoders of BERT's kind
    know texts."""
    length: Annotated[Length, FIXED] = 400
    """Tokens that are read of a text, n-grams not counted."""
    lengths: Annotated[int, Bounds(1, 64), FIXED] = 1
    """Distinct lengths that batches have, so that short texts are not padded to the longest; each is compiled once."""
    padding: Annotated[Side, FIXED] = "post"
    """Side on which a shorter text is padded."""
    truncating: Annotated[Side, FIXED] = "post"
    """Side on which a longer text loses tokens."""
    batch_size: Annotated[Length, FIXED] = 32
    """Texts in a batch."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the texts of an epoch in a random order."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.buckets and self.tokenizer not in ("word", "morpheme"):
            raise refuse("data.buckets", self.buckets, f"the tokenizer {self.tokenizer} has no words, leave it at 0")
        if self.unknown == "drop" and (self.buckets or self.tokenizer not in ("word", "morpheme")):
            why = "they have buckets" if self.buckets else f"the tokenizer {self.tokenizer} has no words"
            raise refuse("data.unknown", self.unknown, f"{why}, leave it at unk")
        if self.delimit:
            if self.ngrams > 1 or self.distinct:
                name = "ngrams" if self.ngrams > 1 else "distinct"
                raise refuse(f"data.{name}", getattr(self, name), "data.delimit is for texts in order, leave it out")
            if self.length < 3:
                raise refuse("data.length", self.length, "data.delimit takes two of them, give 3 or more")

    @property
    def has_validation(self) -> bool:
        """Whether texts are kept for validation."""
        return self.validation > 0
