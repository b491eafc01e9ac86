"""What only some tasks can do, each the business of a command."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from jaxseq.decoding.filters import Sampling
from jaxseq.decoding.protocol import AutoregressiveModel
from jaxseq.errors import InputError
from jaxseq.interop.exported import ExportedFunction
from jaxseq.interop.word_vectors import WordVectors
from jaxseq.memory import Part
from jaxseq.signals import Poll, never
from jaxseq.tasks.described import Described, Picture, PictureSize
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


class FilledMask(NamedTuple):
    """What a model puts in place of a hidden token."""

    probabilities: Mapping[str, float]
    """Of the most probable tokens, by their names, the best first."""


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
    masks: Sequence[FilledMask] | None = None
    """One for each [MASK] of the text, in order; None where the model fills none."""
    note: str = ""
    """What else there is to say of the answer: why there is none, or of what it is not made."""

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
class Embeds(Protocol):
    """Gives each text a vector."""

    def embed(
        self, variables: Mapping[str, Any], texts: Iterable[str], *, poll: Poll = never
    ) -> Iterator[NDArray[np.float32]]:
        """That [d] of every text, in order."""
        ...


@dataclass(frozen=True)
class TranslationOptions:
    """How translations are looked for; None leaves it to the run's configuration.

    Raises:
        InputError: a value is out of its range.
    """

    beam: int | None = None
    """Hypotheses that go on at every step; 1 is a greedy search."""
    n_best: int = 1
    """Hypotheses given for each text, best first; at most `beam`, or as many samples."""
    length_penalty: float | None = None
    """Of the ranking: above 0 longer hypotheses, below 0 shorter ones."""
    coverage_penalty: float | None = None
    """Of the ranking: above 0 hypotheses that have looked at all of the source."""
    max_length: int | None = None
    """Tokens of the longest hypothesis."""
    prefix: str = ""
    """What every hypothesis begins with."""
    sampling: Sampling | None = None
    """Draws hypotheses instead of searching."""
    seed: int = 0
    """The same seed draws the same ones."""
    attention: bool = False
    """Tell what each token looked at, where the model looks at something."""

    def __post_init__(self) -> None:
        for name, value in (("beam", self.beam), ("n-best", self.n_best), ("max-length", self.max_length)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}: give 1 or more")
        if self.length_penalty is not None and not math.isfinite(self.length_penalty):
            raise InputError(f"length-penalty is {self.length_penalty}: give a number")
        if self.coverage_penalty is not None and not 0 <= self.coverage_penalty < math.inf:
            raise InputError(f"coverage-penalty is {self.coverage_penalty}: give a number above 0, or 0 for none")
        if self.sampling is not None and self.beam is not None:
            raise InputError("a beam and sampling are given: choose one of them")
        if self.sampling is None and self.beam is not None and self.n_best > self.beam:
            raise InputError(f"n-best is {self.n_best}, above the beam of {self.beam}: lower it, or widen the beam")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed is {self.seed}: give a number from 0 to {2**32 - 1}")


class Hypothesis(NamedTuple):
    """A translation of a text, one of several."""

    text: str
    score: float
    """What hypotheses are ranked by, the highest first; of samples the log-probability."""
    log_probability: float
    """In nats, of all its tokens, that of its end included."""
    certified: bool
    """Whether nothing that the search did not look at can beat it; never so of a sample."""
    tokens: Sequence[str] = ()
    """As they were made, one after the other."""
    attention: NDArray[np.float32] | None = None
    """[tokens, source tokens]: what each token looked at when it was made; None where nobody asks, or where the model
    has no attention."""


class Translation(NamedTuple):
    """What a model makes of a text in another language."""

    text: str
    hypotheses: Sequence[Hypothesis]
    """Best first; none for a text without words."""
    unknown: Sequence[str] = ()
    """Words of the text that the vocabulary does not know."""
    source_tokens: Sequence[str] = ()
    """What the model read."""


@runtime_checkable
class Translates(Protocol):
    """Goes on from a source in another language: a record in, a record out."""

    def translate(
        self,
        variables: Mapping[str, Any],
        texts: Iterable[str],
        *,
        options: TranslationOptions = TranslationOptions(),
        poll: Poll = never,
    ) -> Iterator[Translation]:
        """A translation for every text, in order.

        Raises:
            InputError: more hypotheses are asked for than the beam of the configuration holds, the prefix has words
                that the vocabulary does not know, or the model has no attention, which a coverage penalty reads.
        """
        ...


@dataclass(frozen=True)
class CaptionOptions:
    """How captions are looked for; None leaves it to the run's configuration.

    Raises:
        InputError: a value is out of its range.
    """

    beam: int | None = None
    """Hypotheses that go on at every step; 1 is a greedy search."""
    n_best: int = 1
    """Captions given for each picture and language, best first; at most `beam`."""
    length_penalty: float | None = None
    """Of the ranking: above 0 longer captions, below 0 shorter ones."""
    max_length: int | None = None
    """Tokens of the longest caption."""
    language: str = ""
    """That of the captions; "" for one in each language that there is."""
    attention: bool = False
    """Tell where each word looked, where the model looks at something."""

    def __post_init__(self) -> None:
        for name, value in (("beam", self.beam), ("n-best", self.n_best), ("max-length", self.max_length)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}: give 1 or more")
        if self.length_penalty is not None and not math.isfinite(self.length_penalty):
            raise InputError(f"length-penalty is {self.length_penalty}: give a number")
        if self.beam is not None and self.n_best > self.beam:
            raise InputError(f"n-best is {self.n_best}, above the beam of {self.beam}: lower it, or widen the beam")


@runtime_checkable
class Captions(Protocol):
    """Says what pictures show."""

    @property
    def picture_size(self) -> PictureSize: ...

    def caption(
        self,
        variables: Mapping[str, Any],
        pictures: Iterable[Picture],
        *,
        options: CaptionOptions = CaptionOptions(),
        poll: Poll = never,
    ) -> Iterator[Described]:
        """Captions of every picture, in order.

        Raises:
            InputError: there is no such language, or more captions are asked for than the beam of the configuration
                holds.
        """
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


@runtime_checkable
class ExportsFunctions(Protocol):
    """Computes what a program with JAX alone can be given to compute."""

    def functions(self) -> Mapping[str, ExportedFunction]:
        """By name, functions whose weights are all variables of the model; none where it has none of that kind."""
        ...


COMMANDS: dict[type, tuple[str, str]] = {
    Generates: ("sample", "generates no text"),
    Predicts: ("predict", "predicts nothing of a text"),
    Embeds: ("embed", "gives no text a vector"),
    Translates: ("translate", "translates nothing"),
    Captions: ("caption", "captions no picture"),
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
