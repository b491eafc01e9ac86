"""Sections of an experiment that there are several kinds of: a task, data, a model, an optimizer.

    @register("model")
    @dataclass(frozen=True)
    class MarkovConfig(ModelConfig):
        kind: ClassVar[str] = "markov"

From then on `--model.kind markov` chooses it, help shows its fields alone, and a config.json that names it is read.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self, TypeVar

from jaxseq.config.fields import FREE, Text, refuse
from jaxseq.errors import ConfigError


@dataclass(frozen=True)
class Kind:
    """A section of one of several kinds; those that are registered are frozen dataclasses too."""

    kind: ClassVar[str]
    """Its name in config.json and on the command line."""


@dataclass(frozen=True)
class TaskConfig(Kind):
    """What is learned, and what a run ends with."""

    @property
    def keeps_file(self) -> bool:
        """Whether something worked out of the data is kept in a file beside the run."""
        return False


@dataclass(frozen=True)
class DataConfig(Kind):
    """Where the data come from, and how they become batches."""

    source: Annotated[str, Text(4096, file=True), FREE] = ""
    """A file, a folder, "-" for standard input, or what else the kind reads."""

    def elsewhere(self, source: str) -> Self:
        """The same for data from another source."""
        return replace(self, source=source)

    @property
    def has_validation(self) -> bool:
        """Whether a part of the data is kept for validation."""
        raise NotImplementedError

    @property
    def keeps_file(self) -> bool:
        """Whether the data are kept in a file beside the run, as tokens."""
        return False


@dataclass(frozen=True)
class ModelConfig(Kind):
    """The network between the input and the task's head."""


SECTIONS = ("task", "data", "model", "optimizer")
"""Names of the sections that there are kinds of."""
_KINDS: dict[str, dict[str, type[Kind]]] = {section: {} for section in SECTIONS}

Registered = TypeVar("Registered", bound=type[Kind])


def register(section: str) -> Callable[[Registered], Registered]:
    """A decorator that makes a class one of the kinds of `section`. The same class, defined again, takes its place.

    Raises:
        ValueError: another class has its kind.
    """

    def enter(cls: Registered) -> Registered:
        before = _KINDS[section].get(cls.kind)
        if before is not None and before.__qualname__ != cls.__qualname__:
            raise ValueError(f"{section}.kind {cls.kind!r} is {before.__name__}: give {cls.__name__} another one")
        _KINDS[section][cls.kind] = cls
        return cls

    return enter


def kinds_of(section: str) -> dict[str, type[Kind]]:
    """The registered kinds of `section`, by name, in the order of the alphabet."""
    return dict(sorted(_KINDS[section].items()))


def kind_named(section: str, name: object) -> type[Kind]:
    """The kind of `section` that is called `name`.

    Raises:
        ConfigError: there is none.
    """
    kinds = _KINDS[section]
    if not isinstance(name, str) or name not in kinds:
        raise unknown_kind(section, name)
    return kinds[name]


def unknown_kind(section: str, name: object) -> ConfigError:
    """The error of a kind that there is none of."""
    *others, last = kinds_of(section)
    return refuse(f"{section}.kind", name, f"choose {', '.join(others)} or {last}" if others else f"choose {last}")
