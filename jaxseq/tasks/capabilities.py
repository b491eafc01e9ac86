"""What only some tasks can do, each the business of a command."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from jaxseq.decoding.protocol import AutoregressiveModel
from jaxseq.errors import InputError
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.memory import Part
from jaxseq.signals import Poll, never
from jaxseq.text.tokenizers import Tokenizer


@runtime_checkable
class Generates(Protocol):
    """Goes on from a prompt, token by token."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def model(self) -> AutoregressiveModel: ...

    @property
    def prompt(self) -> str:
        """What is gone on from, unless said otherwise."""
        ...

    @property
    def sample_length(self) -> int:
        """Tokens of a sample, unless said otherwise."""
        ...

    @property
    def temperature(self) -> float:
        """Of sampling, unless said otherwise."""
        ...

    @property
    def stop(self) -> Sequence[str]:
        """Texts that end a sample, beside those asked for."""
        ...

    @property
    def forbidden(self) -> Sequence[int]:
        """Tokens that no sample has, as they stand for no text."""
        ...

    def sampling_memory(self, *, rows: int, length: int) -> list[Part]:
        """What is held while `rows` samples of `length` tokens are made at once."""
        ...


class NearText(NamedTuple):
    """A text that was trained on, and how near it is to another."""

    number: int
    """Its place among them, from 0 on."""
    begin: str
    """How it begins."""
    label: str
    """Empty where texts have none."""
    similarity: float
    """The cosine between the vectors of both."""


class Prediction(NamedTuple):
    """What a model says of a text."""

    text: str
    label: str
    """The most probable class; empty where there are no classes."""
    probabilities: Mapping[str, float]
    """Of each class."""
    unknown: Sequence[str]
    """Words of the text that the vocabulary does not know."""
    vector: NDArray[np.float32] | None = None
    """Of the text [d], where the model gives it one; zeros where none of its words is known."""
    nearest: Sequence[NearText] = ()
    """By their vectors, the nearest first."""

    @property
    def has_no_vector(self) -> bool:
        """Whether it should have a vector, and all its words are unknown."""
        return self.vector is not None and not self.vector.any()


@runtime_checkable
class Predicts(Protocol):
    """Says something of each text: a record in, a record out."""

    def predict(
        self, variables: Mapping[str, Any], texts: Iterable[str], *, poll: Poll = never
    ) -> Iterator[Prediction]:
        """A prediction for every text, in order."""
        ...


@runtime_checkable
class ScoresTokens(Protocol):
    """Gives each token of a text a probability."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    def token_log_probabilities(
        self, variables: Mapping[str, Any], split: str, *, rows: int | None, poll: Poll = never
    ) -> NDArray[np.float32]:
        """Of every token of a split that is predicted [n], in nats, in the order of the text."""
        ...


class Fitted(NamedTuple):
    """What a task has fitted at once."""

    variables: Mapping[str, Any]
    told: Sequence[str]
    """Lines that a person should see."""


@runtime_checkable
class FitsAtOnce(Protocol):
    """May have a model that is fitted at once, by counting, instead of by gradient steps."""

    @property
    def fits_at_once(self) -> bool:
        """Whether it has."""
        ...

    def fitted(self) -> Fitted:
        """The variables of that model, fitted to the training split."""
        ...


def fits_at_once(task: object) -> bool:
    """Whether a task has a model that is fitted at once."""
    return isinstance(task, FitsAtOnce) and task.fits_at_once


class Export(NamedTuple):
    """A file that a model can be written to."""

    what: str
    """What it holds, in words: "2,001 vectors of 8 numbers are"."""
    content: Callable[[], Iterator[bytes]]
    """Raises InputError at the first piece where something does not go into such a file."""
    vectors: WordVectors | None = None
    """Those of words, or of whatever has them, where it holds such."""


@runtime_checkable
class Exports(Protocol):
    """Has learned something that other programs can read."""

    def exports(self, variables: Mapping[str, Any]) -> Mapping[str, Export]:
        """By the end of the file's name, as ".npz", what can be written.

        Raises:
            InputError: there is nothing.
        """
        ...


COMMANDS: dict[type, tuple[str, str]] = {
    Generates: ("sample", "generates no text"),
    Predicts: ("predict", "predicts nothing of a text"),
    ScoresTokens: ("mix", "gives no token a probability"),
    Exports: ("export", "has nothing that other programs read"),
}
"""The command of each capability, and what is said of a task without it."""

Capability = TypeVar("Capability")


def capable(task: object, capability: type[Capability], *, run: object) -> Capability:
    """`task`, which has the capability.

    Raises:
        InputError: it has not; the command that fits is named.
    """
    if isinstance(task, capability):
        return task
    fitting = [command for other, (command, _) in COMMANDS.items() if isinstance(task, other)]
    instead = f"`jaxseq {fitting[0]}`" if fitting else "`jaxseq evaluate`"
    raise InputError(f"the model in {run} {COMMANDS[capability][1]}: use {instead}")
