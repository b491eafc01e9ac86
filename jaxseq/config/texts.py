"""What every data section that reads text says of it: how it becomes token ids."""

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxseq.config.fields import FIXED, FREE, Items, Text, check_fields, refuse
from jaxseq.config.kinds import DataConfig
from jaxseq.config.limits import Count, CountOrZero

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


@dataclass(frozen=True)
class TextConfig(DataConfig):
    """How text becomes token ids."""

    encoding: Annotated[str, Text(100), FREE] = "utf-8"
    """Encoding of the files."""
    normalize: Annotated[tuple[NormalizerName, ...], Items(16), FIXED] = ()
    """Normalisers applied to the text, in this order."""
    tokenizer: Annotated[TokenizerName, FIXED] = "char"
    """Characters, Hangul taken apart into compatibility jamo, the bytes of UTF-8, words, pieces of words (byte pairs,
    WordPiece, Unigram, or as a SentencePiece model has them), or Korean morphemes."""
    tokenizer_file: Annotated[str, Text(4096, file=True), FIXED] = ""
    """A tokenizer to take as it is, instead of one that is trained on the text: a SentencePiece model, a tokenizer.json
    of the library tokenizers, one of a run, a Keras Tokenizer in JSON or the words of an ARPA file (tokenizer
    "word"), or characters in JSON, a list in the order of their ids or an object of ids (tokenizer "char")."""
    file_normalization: Annotated[bool, FIXED] = True
    """Do to a text first what a SentencePiece model does by itself, as NFKC; without it a text is read as it is, white
    space too."""
    pieces: Annotated[Count, FIXED] = 8_000
    """Ids of a tokenizer of pieces that is trained (bpe, wordpiece, unigram)."""
    splitter: Annotated[SplitterName, FIXED] = "lines"
    """How a text is split into words (tokenizer "word")."""
    max_words: Annotated[CountOrZero, FIXED] = 0
    """Words or morphemes that are kept, the most frequent ones; 0 keeps all. Others are unknown."""
    min_count: Annotated[Count, FIXED] = 1
    """Words or symbols that occur fewer times are left out, and unknown."""

    def __post_init__(self) -> None:
        check_fields(self, "data")
        kind = self.tokenizer
        if self.min_count != 1 and kind in ("byte", "unigram", "sentencepiece"):
            why = "knows every byte" if kind == "byte" else "counts no symbols"
            raise refuse("data.min_count", self.min_count, f"the {kind} tokenizer {why}, leave it at 1")
        if self.max_words and kind not in ("word", "morpheme"):
            raise refuse("data.max_words", self.max_words, f"the tokenizer {kind} has no words, leave it at 0")
        if kind != "sentencepiece" and not self.file_normalization:
            raise refuse("data.file_normalization", False, f"the {kind} tokenizer has no such file, leave it at true")
        if kind == "sentencepiece" and not self.tokenizer_file:
            raise refuse("data.tokenizer", kind, "it is read from a file, give data.tokenizer_file")
