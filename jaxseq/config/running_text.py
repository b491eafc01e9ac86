"""What every kind of running text says of itself: which text, how it becomes token ids, and how it is split."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from jaxseq.config.fields import FIXED, FREE, Bounds, Items, Text, check_fields, refuse
from jaxseq.config.kinds import DataConfig
from jaxseq.config.limits import Count, CountOrZero, Length

NormalizerName = Literal[
    "lowercase",
    "nfc",
    "nfkc",
    "unix_newlines",
    "collapse_whitespace",
    "breaks_to_spaces",
    "letters_only",
    "spaced_punctuation",
]
TokenizerName = Literal["char", "jamo", "byte", "word", "bpe", "wordpiece", "unigram", "sentencepiece", "morpheme"]
SplitterName = Literal["filters", "whitespace", "lines", "words", "words_and_marks", "pieces", "treebank"]


class TokenizerFields(Protocol):
    """What sections that read text have in common."""

    @property
    def tokenizer(self) -> str: ...
    @property
    def tokenizer_file(self) -> str: ...
    @property
    def min_count(self) -> int: ...
    @property
    def max_words(self) -> int: ...


def check_tokenizer(data: TokenizerFields) -> None:
    """Refuses fields that mean nothing to the tokenizer of a data section.

    Raises:
        ConfigError: there is such a field.
    """
    kind = data.tokenizer
    if data.min_count != 1 and kind in ("byte", "unigram", "sentencepiece"):
        why = "knows every byte" if kind == "byte" else "counts no symbols"
        raise refuse("data.min_count", data.min_count, f"the {kind} tokenizer {why}, leave it at 1")
    if data.max_words and kind not in ("word", "morpheme"):
        raise refuse("data.max_words", data.max_words, f"the tokenizer {kind} has no words, leave it at 0")
    if kind == "sentencepiece" and not data.tokenizer_file:
        raise refuse("data.tokenizer", kind, "it is read from a file, give data.tokenizer_file")


@dataclass(frozen=True)
class RunningTextConfig(DataConfig):
    """Which text, and how it becomes token ids."""

    source: Annotated[str, Text(4096, file=True), FREE] = "python-manual"
    """A file (.gz, .bz2, .xz and .zip are read as they are), a named pipe, a glob, a folder, a tar archive or some of
    its members ("a.tar.xz/*/train/*.txt"), "-" for standard input, "python-manual", or a text data set of
    tensorflow-datasets as "tfds:NAME[/config][:version][:split][#feature]"."""
    validation_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for a validation split of its own; data.split then has no share for it."""
    test_source: Annotated[str, Text(4096, file=True), FREE] = ""
    """The same for the test split."""
    encoding: Annotated[str, Text(100), FREE] = "utf-8"
    """Encoding of the files."""
    normalize: Annotated[tuple[NormalizerName, ...], Items(16), FIXED] = ()
    """Normalisers applied to the text, in this order."""
    tokenizer: Annotated[TokenizerName, FIXED] = "char"
    """Characters, Hangul taken apart into compatibility jamo, the bytes of UTF-8, words, pieces of words (byte pairs,
    WordPiece, Unigram, or as a SentencePiece model has them), or Korean morphemes."""
    tokenizer_file: Annotated[str, Text(4096, file=True), FIXED] = ""
    """A tokenizer to take as it is, instead of one that is trained on the source: a SentencePiece model, a
    tokenizer.json of the library tokenizers, or one of a run."""
    pieces: Annotated[Count, FIXED] = 8_000
    """Ids of a tokenizer of pieces that is trained (bpe, wordpiece, unigram)."""
    splitter: Annotated[SplitterName, FIXED] = "lines"
    """How a text is split into words (tokenizer "word")."""
    max_words: Annotated[CountOrZero, FIXED] = 0
    """Words or morphemes that are kept, the most frequent ones; 0 keeps all. Others become <unk>."""
    min_count: Annotated[Count, FIXED] = 1
    """Symbols rarer than this become <unk>, as do unknown ones later; with 1 these are an error."""
    split: Annotated[tuple[float, float, float], Bounds(0, 1), FIXED] = (0.9, 0.05, 0.05)
    """Shares of the source, in order, for training, validation and test."""
    length: Annotated[Length, FIXED] = 50
    """Tokens in a window."""
    batch_size: Annotated[Length, FIXED] = 32
    """Windows in a batch, or rows the corpus is cut into."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the windows of an epoch in a random order (layout "windows")."""

    def __post_init__(self) -> None:
        check_fields(self, "data")
        if self.split[0] == 0 or not math.isclose(sum(self.split), 1.0):
            raise refuse("data.split", self.split, "give three shares that add up to 1, the first above 0")
        for share, name in zip(self.split[1:], ("validation", "test"), strict=True):
            own = getattr(self, f"{name}_source")
            if share and own:
                raise refuse(f"data.{name}_source", own, f"data.split has a share for {name} too, make it 0")
        check_tokenizer(self)

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
