"""What every data section of pairs says of their two sides: how they become token ids, and how these become batches."""

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxseq.config.fields import FIXED, Bounds, Items, Text, refuse
from jaxseq.config.limits import Count, CountOrZero, Length
from jaxseq.config.texts import NormalizerName, SplitterName, TextConfig, TokenizerName
from jaxseq.errors import ConfigError

_OWN = ("normalize", "tokenizer_file", "pieces", "max_words", "min_count")
"""Fields of a side that those of the source are named after, beside the tokenizer."""


@dataclass(frozen=True)
class PairedConfig(TextConfig):
    """How the sides of pairs become token ids, and how these become batches.

    Both sides are read alike, unless data.source_tokenizer gives the source a tokenizer of its own."""

    tokenizer: Annotated[TokenizerName, FIXED] = "word"
    """As in every section of texts, but words unless said otherwise."""
    splitter: Annotated[SplitterName, FIXED] = "words_and_marks"
    """How a text is split into words (tokenizer "word")."""
    joint: Annotated[bool, FIXED] = False
    """One vocabulary of both sides, learned from both, as embeddings that they share need it."""
    source_tokenizer: Annotated[Literal["same", TokenizerName], FIXED] = "same"
    """Another tokenizer for the source, which has the following five fields then; "same" reads it as the target."""
    source_normalize: Annotated[tuple[NormalizerName, ...], Items(16), FIXED] = ()
    """Its normalisers."""
    source_tokenizer_file: Annotated[str, Text(4096, file=True), FIXED] = ""
    """Its file, to be taken as it is."""
    source_pieces: Annotated[Count, FIXED] = 8_000
    """Its ids where it is one of pieces."""
    source_max_words: Annotated[CountOrZero, FIXED] = 0
    """Words or morphemes that it keeps; 0 keeps all."""
    source_min_count: Annotated[Count, FIXED] = 1
    """Words or symbols that occur fewer times in the source are left out there."""
    reverse_source: Annotated[bool, FIXED] = False
    """Read the tokens of a source from the last to the first, "milk drink I" (Sutskever et al. 2014)."""
    source_length: Annotated[Length, FIXED] = 100
    """Tokens of a source, its end included, with which a pair is trained on; longer ones are left out of training."""
    target_length: Annotated[Length, FIXED] = 100
    """The same of a target."""
    lengths: Annotated[int, Bounds(1, 64), FIXED] = 8
    """Distinct shapes that batches have, so that short pairs are not padded to the longest; each is compiled once."""
    batch_size: Annotated[Length, FIXED] = 64
    """Pairs in a batch."""
    batch_tokens: Annotated[CountOrZero, FIXED] = 0
    """Tokens of a training batch instead, padding and both sides counted: of short pairs there are more; 0 takes
    data.batch_size."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the pairs of an epoch in a random order."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source_tokenizer == "same":
            for name in _OWN:
                value, default = getattr(self, f"source_{name}"), getattr(PairedConfig, f"source_{name}")
                if value != default:
                    remedy = f"the source is read as data.{name} says, give it a tokenizer by data.source_tokenizer"
                    raise refuse(f"data.source_{name}", value, remedy)
        elif self.joint:
            remedy = "the source has one of its own, leave one of the two out"
            raise refuse("data.joint", True, f"it is one tokenizer for both sides, and {remedy}")
        _ = self.source_text

    @property
    def source_text(self) -> TextConfig:
        """How the source becomes token ids.

        Raises:
            ConfigError: it cannot be; the field is named.
        """
        if self.source_tokenizer == "same":
            return self.target_text
        own = {name: getattr(self, f"source_{name}") for name in _OWN}
        try:
            return TextConfig(
                source=self.source,
                encoding=self.encoding,
                tokenizer=self.source_tokenizer,
                file_normalization=self.file_normalization or self.source_tokenizer != "sentencepiece",
                splitter=self.splitter,
                **own,
            )
        except ConfigError as error:
            raise ConfigError(str(error).replace("data.", "data.source_")) from error

    @property
    def target_text(self) -> TextConfig:
        """How the target becomes token ids."""
        return TextConfig(
            source=self.source,
            encoding=self.encoding,
            normalize=self.normalize,
            tokenizer=self.tokenizer,
            tokenizer_file=self.tokenizer_file,
            file_normalization=self.file_normalization,
            pieces=self.pieces,
            splitter=self.splitter,
            max_words=self.max_words,
            min_count=self.min_count,
        )
