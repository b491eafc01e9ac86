"""What a field of a configuration may hold, as data beside the field, and the one function that sees to it.

    features: Annotated[int, Bounds(1, 65_536), FIXED] = 256

says that `features` is a whole number from 1 to 65,536 and that a run goes on with the same one only. A section calls
`check_fields` when it is built, so what is typed, what a Python file builds and what is read from disk are held to the
same rules. The type of the annotation counts as well: a bool is no number, an int serves for a float, a list for a
tuple, and text is text that files and terminals can take.
"""

import dataclasses
import functools
import numbers
import types
from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from jaxseq.errors import ConfigError

_MOST_SHOWN = 80
"""Characters of a value that an error shows."""


class Resuming(Enum):
    """Whether a run may go on with another value of a field."""

    FIXED = "takes part in the results so far: stays as it was"
    FREE = "the results so far do not depend on it: may be another"
    END = "says where the run ends: may move where nothing so far depends on the end"


FIXED, FREE, END = Resuming


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The numbers a field may hold: `least` to `most`, both included; with `zero` also 0, which lies outside."""

    least: float
    most: float
    zero: bool = False

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most or (self.zero and value == 0)

    def __str__(self) -> str:
        return f"{_number(self.least)} to {_number(self.most)}"


@dataclasses.dataclass(frozen=True)
class Text:
    """The texts a field may hold: `most` characters at most; with `file` they may name a file that is no UTF-8."""

    most: int
    file: bool = False


@dataclasses.dataclass(frozen=True)
class Items:
    """How many items a tuple of any length may hold, and which numbers or texts they may be."""

    most: int
    of: Bounds | Text | None = None


class Rule(NamedTuple):
    """All that is declared beside a field."""

    type: Any
    limit: Bounds | Text | Items | None
    """None where the type says everything: a choice, a switch, a section."""
    resuming: Resuming | None


@functools.cache
def rules_of(section: type) -> dict[str, Rule]:
    """The rules of the fields of a dataclass, by name."""
    hints = get_type_hints(section, include_extras=True)
    return {field.name: _rule(hints[field.name]) for field in dataclasses.fields(section)}


def check_fields(config: Any, section: str) -> None:
    """Holds every field of a frozen dataclass to what is declared beside it; what serves for its type becomes it.

    Args:
        section: stands before the names of the fields in errors; "" for none.

    Raises:
        ConfigError: a value is of another type, or outside its bounds.
    """
    for name, rule in rules_of(type(config)).items():
        value = getattr(config, name)
        checked = _checked(f"{section}.{name}" if section else name, value, rule)
        if checked is not value:
            object.__setattr__(config, name, checked)


def refuse(name: str, value: object, remedy: str) -> ConfigError:
    """The error of a value that cannot be: "model.features is 0: give a number from 1 to 65,536"."""
    return ConfigError(f"{name} is {shown(value)}: {remedy}")


def require_known(names: Iterable[str], known: Iterable[str], prefix: str = "") -> None:
    """Refuses what a stored configuration names and this version does not know.

    Raises:
        ConfigError: there is such a name; it is told with `prefix` before it.
    """
    strange = sorted(set(names) - set(known))
    if strange:
        raise ConfigError(
            f"{shown(prefix + strange[0])[1:-1]} is unknown to this version of jaxseq: use the one that wrote it"
        )


def shown(value: object) -> str:
    """`value` as an error shows it: escaped, on one line, cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, a list in a list in a list
        text = f"a very large {type(value).__name__}"
    text = on_one_line(text)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def on_one_line(text: str) -> str:
    """`text` with escapes in place of whatever is no character to print."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _rule(annotation: Any) -> Rule:
    kind, *notes = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    limit = next((note for note in notes if isinstance(note, Bounds | Text | Items)), None)
    return Rule(kind, limit, next((note for note in notes if isinstance(note, Resuming)), None))


def _checked(name: str, value: Any, rule: Rule) -> Any:
    """`value` in the type that `rule` gives."""
    kind, limit = rule.type, rule.limit
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        if not isinstance(value, str) or value not in choices:
            raise refuse(name, value, f"choose {', '.join(choices[:-1])} or {choices[-1]}")
    elif get_origin(kind) is tuple:
        return _tuple(name, value, get_args(kind), limit)
    elif kind is bool:
        if not isinstance(value, bool):
            raise refuse(name, value, "give true or false")
    elif kind in (int, float):
        return _in_bounds(name, value, kind, limit)
    elif kind is str:
        _require_text(name, value, limit)
    elif not isinstance(value, _classes(kind)):
        raise refuse(name, value, f"give a {' or a '.join(each.__name__ for each in _classes(kind))}")
    return value


def _in_bounds(name: str, value: Any, kind: Any, bounds: Any) -> Any:
    # NumPy's numbers are registered there, its bool is not.
    is_number = isinstance(value, numbers.Integral if kind is int else numbers.Real) and not isinstance(value, bool)
    number: Any = value
    if not is_number or value not in bounds:
        noun = "number" if is_number or kind is float else "whole number"
        raise refuse(name, value, f"give {'0, or ' if bounds.zero else ''}a {noun} from {bounds}")
    return value if type(value) is kind else kind(number)


def _require_text(name: str, value: Any, limit: Any) -> None:
    if not isinstance(value, str):
        raise refuse(name, value, "give text")
    if len(value) > limit.most:
        raise refuse(name, value, f"give at most {limit.most:,} characters")
    if limit.file and "\0" in value:
        raise refuse(name, value, "no file has a name with a NUL in it")
    try:
        value.encode("utf-8", "surrogateescape" if limit.file else "strict")
    except UnicodeEncodeError:
        raise refuse(name, value, "it holds what no text in UTF-8 can hold, half of a surrogate pair") from None


def _tuple(name: str, value: Any, kinds: tuple[Any, ...], limit: Any) -> tuple[Any, ...]:
    """A tuple of some length, every item of the first kind; or of one item for each kind."""
    if not isinstance(value, list | tuple):
        raise refuse(name, value, "give a list")
    if len(kinds) == 2 and kinds[1] is ...:
        if len(value) > limit.most:
            raise refuse(name, value, f"give at most {limit.most} items")
        rules = [Rule(kinds[0], limit.of, None)] * len(value)
    elif len(value) != len(kinds):
        raise refuse(name, value, f"give {len(kinds)} items")
    else:
        rules = [Rule(kind, limit, None) for kind in kinds]
    return tuple(
        _checked(f"{name}[{index}]", item, rule) for index, (item, rule) in enumerate(zip(value, rules, strict=True))
    )


def _classes(kind: Any) -> tuple[type, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
