"""From a text to its words: pure functions by name, and what the text loses by them."""

import re
from collections.abc import Callable
from typing import NamedTuple

from jaxseq.text.treebank import treebank_words

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""What Keras's legacy `Tokenizer` and `text_to_word_sequence` take out, unless told otherwise: not the apostrophe."""

_SPACES = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_WORD = re.compile(r"\w+")
_WORD_OR_MARKS = re.compile(r"\w+|[^\w\s]+")
_PIECE = re.compile(r"\w+|\W")
_WORD_OR_LINE_END = re.compile(r"\n|\S+")


class Splitter(NamedTuple):
    """A way to split a text, of which `joint.join(split(text))` is what comes back."""

    split: Callable[[str], list[str]]
    joint: str
    """Put between two words when they are made a text again."""
    loses: tuple[str, ...]
    """What does not come back, by the names in `jaxseq.text.tokenizers.Tokenizer.loses`."""
    separators: str | None = None
    """Where the words are just what stands between certain characters: these. The first is ASCII."""


def whitespace_words(text: str) -> list[str]:
    """What stands between white space, as `str.split`."""
    return text.split()


def words_and_line_ends(text: str) -> list[str]:
    """What stands between white space, and each line's end.

    >>> words_and_line_ends("to be,\\nor")
    ['to', 'be,', '\\n', 'or']
    """
    return _WORD_OR_LINE_END.findall(text)


def words(text: str) -> list[str]:
    """Runs of letters, digits and underscores.

    >>> words("It's 3,5.")
    ['It', 's', '3', '5']
    """
    return _WORD.findall(text)


def words_and_marks(text: str) -> list[str]:
    """Runs of letters, digits and underscores, and runs of other characters but white space.

    >>> words_and_marks("It's 3 (or 5).")
    ['It', "'", 's', '3', '(', 'or', '5', ').']
    """
    return _WORD_OR_MARKS.findall(text)


def pieces(text: str) -> list[str]:
    """Runs of letters, digits and underscores, and each other character: all of the text.

    >>> pieces("to be, or")
    ['to', ' ', 'be', ',', ' ', 'or']
    """
    return _PIECE.findall(text)


def characters(text: str) -> list[str]:
    """Each character, as Keras's `Tokenizer(char_level=True)`."""
    return list(text)


def whole(text: str) -> list[str]:
    """The text, as one word.

    >>> whole("Toy Story (1995)")
    ['Toy Story (1995)']
    """
    return [text] if text else []


def filtered_words(text: str, *, filters: str = FILTERS, split: str = " ") -> list[str]:
    """What stands between `split`, which is put in place of each character of `filters` first, as in Keras.

    >>> filtered_words("Don't go, go!")
    ["Don't", 'go', 'go']
    """
    return [word for word in text.translate(dict.fromkeys(map(ord, filters), split)).split(split) if word]


def filtering(filters: str, split: str) -> Splitter:
    """`filtered_words` with these settings; `split` is 1 character or more."""
    spaces = all(character.isspace() for character in filters)
    return Splitter(
        split=lambda text: filtered_words(text, filters=filters, split=split),
        joint=" ",
        loses=("white space",) if spaces else ("punctuation", "white space"),
        separators=split + filters if len(split) == 1 and split.isascii() else None,
    )


SPLITTERS: dict[str, Splitter] = {
    "filters": filtering(FILTERS, " "),
    "whitespace": Splitter(whitespace_words, " ", ("white space",), " " + _SPACES),
    "lines": Splitter(words_and_line_ends, " ", ("white space",)),
    "words": Splitter(words, " ", ("punctuation", "white space")),
    "words_and_marks": Splitter(words_and_marks, " ", ("white space",)),
    "pieces": Splitter(pieces, "", ()),
    "treebank": Splitter(treebank_words, " ", ("quotation marks", "white space")),
    "characters": Splitter(characters, " ", ("white space",)),
    "whole": Splitter(whole, "\n", ()),
}
"""By the names that configurations use; "filters" with the settings it has by default."""
