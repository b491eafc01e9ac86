"""What every data section of captioned pictures says of them: their form, their languages, and how they are batched."""

from dataclasses import dataclass
from typing import Annotated

from jaxseq.config.fields import FIXED, Bounds, Items, Text, refuse
from jaxseq.config.limits import Length
from jaxseq.config.texts import SplitterName, TextConfig, TokenizerName

_SIDE = 4_096
"""Pixels of the longest side of a picture."""


@dataclass(frozen=True)
class CaptionedConfig(TextConfig):
    """Of what form pictures are, how captions become token ids, and how both become batches."""

    size: Annotated[tuple[int, int], Bounds(0, _SIDE), FIXED] = (0, 0)
    """Height and width in pixels that all pictures are brought to; 0 0 leaves them as they are, all of one size."""
    channels: Annotated[int, Bounds(1, 3), FIXED] = 3
    """3 reads pictures in colour, 1 in grey."""
    languages: Annotated[tuple[str, ...], Items(64, Text(1000)), FIXED] = ()
    """Languages that captions are learned in, all from one picture: the columns of a table that hold them. () takes the
    column "caption", or the only one there is beside that of the pictures."""
    tokenizer: Annotated[TokenizerName, FIXED] = "word"
    """As in every section of texts, but words unless said otherwise."""
    splitter: Annotated[SplitterName, FIXED] = "words_and_marks"
    """How a caption is split into words (tokenizer "word")."""
    longest: Annotated[Length, FIXED] = 50
    """Tokens of a caption, its end included, with which it is trained on; longer ones are left out of training."""
    lengths: Annotated[int, Bounds(1, 64), FIXED] = 4
    """Distinct lengths that batches have, so that short captions are not padded to the longest; each is compiled
    once."""
    batch_size: Annotated[Length, FIXED] = 64
    """Captions in a batch, each with its picture."""
    shuffle: Annotated[bool, FIXED] = True
    """Draw the captions of an epoch in a random order."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.size[0] == 0) != (self.size[1] == 0):
            raise refuse("data.size", self.size, "give height and width, or 0 0 for pictures as they are")
        if self.channels == 2:
            raise refuse("data.channels", 2, "give 3 for colour or 1 for grey")
        if len(set(self.languages)) < len(self.languages) or "" in self.languages:
            raise refuse("data.languages", self.languages, "name each language once")
