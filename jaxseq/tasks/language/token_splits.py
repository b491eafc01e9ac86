"""What a language model is trained and measured on: token ids, split by split, whatever they were cut from."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from jaxseq.data.batching import Batch
from jaxseq.signals import Poll
from jaxseq.text.tokenizers import Tokenizer

AT_ONCE = 2**20
"""Ids that are made text at a time, where all of it need not fit into memory."""


class TextLoader(Protocol):
    """A `jaxseq.data.batching.TokenLoader`, and what its ids are."""

    steps_per_epoch: int
    batch_size: int
    uniform: bool
    length: int
    carried: bool
    masked: bool
    interior_resets: bool
    ids: np.ndarray
    """All ids that batches are made of."""
    vocab_size: int | None
    """What they are known to be below; None where nobody has looked."""

    @property
    def left_out(self) -> str: ...

    def __call__(self, step: int, /) -> Batch: ...


class Pass(NamedTuple):
    """A way to read a split once."""

    loader: TextLoader
    title: str
    """What a table calls it."""
    cells: int | None = None
    """Tokens and padding together, where rows are padded to one length."""


class TrainingTokens(NamedTuple):
    """All ids of the training split."""

    ids: np.ndarray
    """[n]; where texts start with `begin`, without that."""
    starts: np.ndarray
    """Where texts begin that know nothing of what stands before [k]."""
    begin: int | None = None
    """The id that each of them starts with, which nothing predicts."""


class Extent(NamedTuple):
    """How much text a split is."""

    tokens: int
    """Those that each pass could ask for, the first ones of all included."""
    characters: int
    words: int
    """Runs of anything but white space, and ends of lines, as the published perplexities of WikiText count them."""


class TokenSplits(Protocol):
    """Token ids by split, and the loaders over them."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    def fingerprint(self) -> str:
        """Changes when the token ids do."""
        ...

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether these ids had that fingerprint."""
        ...

    def overview(self) -> str:
        """How much there is, in some words."""
        ...

    def training_loader(self, *, seed: int) -> TextLoader:
        """Batches of the training split, drawn as the configuration says."""
        ...

    def loader(self, split: str, *, train: bool) -> TextLoader:
        """Batches of a split: drawn as for training, or each token once, in order."""
        ...

    def training_tokens(self) -> TrainingTokens:
        """The training split as it lies in the text, for what is counted."""
        ...

    def counts(self) -> np.ndarray:
        """How often each id occurs in the text that a new tokenizer is trained on [v]."""
        ...

    def validation(self, *, last_only: bool) -> Pass | None:
        """That over the validation split while a model trains, read as the training split is; None without a split.

        Args:
            last_only: the model is asked for the token after a window only.

        Raises:
            InputError: the split is too short for it.
        """
        ...

    def passes(self, split: str, *, rows: int | None, last_only: bool) -> Mapping[str, Pass]:
        """The ways in which a split is measured, by name.

        Raises:
            InputError: there are more rows than the split fills.
        """
        ...

    def extent(self, split: str, *, poll: Poll) -> Extent:
        """How much text a split is."""
        ...


def extent_of(tokenizer: Tokenizer, ids: np.ndarray, *, poll: Poll) -> Extent:
    """That of the text of `ids`, which need not fit into memory."""
    characters = words = 0
    inside = False
    for text in _texts(tokenizer, ids, poll):
        if not text:
            continue
        characters += len(text)
        # A run that goes on from the text before has been counted there.
        words += len(text.split()) + text.count("\n") - (inside and not text[0].isspace())
        inside = not text[-1].isspace()
    return Extent(len(ids), characters, words)


def _texts(tokenizer: Tokenizer, ids: np.ndarray, poll: Poll) -> Iterator[str]:
    stream = tokenizer.stream()
    for at in range(0, len(ids), AT_ONCE):
        poll()
        yield stream.push(ids[at : at + AT_ONCE])
    yield stream.flush()
