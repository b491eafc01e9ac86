"""What the commands that ask word vectors have in common."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxseq import console
from jaxseq.errors import InputError

if TYPE_CHECKING:
    from jaxseq.runs.asking import Neighbour

VectorsPath = Annotated[
    tyro.conf.Positional[Path],
    tyro.conf.arg(
        metavar="RUN_OR_FILE",
        help="Run directory of a model with an embedding, as runs/bag_lm; or a file of vectors, as glove.6B.50d.txt.",
    ),
]
Checkpoint = Annotated[
    Literal["best", "newest"],
    tyro.conf.arg(
        help="Of a run, the checkpoint that did best on the validation split (by train.metric), or the last one."
    ),
]
Json = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help="Print one JSON object.")]


def require_words(words: Sequence[str]) -> None:
    """Refuses no words, and empty ones.

    Raises:
        InputError: there are such.
    """
    if not words:
        raise InputError("there is nothing to ask for: give a word, as it stands in the vocabulary")
    if "" in words:
        raise InputError("a word is empty: give one that has a vector")


def require_number(option: str, value: int, *, least: int) -> None:
    """Refuses what is below `least`, or no number of words.

    Raises:
        InputError: it is.
    """
    if not least <= value < 2**31:
        raise InputError(f"{option} is {value}: give a number from {least} to {2**31 - 1}")


def lines_of(found: "Sequence[Neighbour]") -> Iterator[str]:
    """A line for each word, its figure before it."""
    for word, value in found:
        yield f"{value:>9.4f}  {console.escaped_line(word)}"
