"""`--SECTION.kind`: chosen before the other options are read, for which of these there are hangs on it."""

from collections.abc import Sequence

from jaxseq.config import SECTIONS, ExperimentConfig, kinds_of, with_kind
from jaxseq.config.fields import rules_of
from jaxseq.config.old_formats import OPTIONS
from jaxseq.errors import ConfigError


def list_kinds() -> str:
    """The kinds there are by now, for help."""
    kinds = "; ".join(f"--{section}.kind {', '.join(kinds_of(section))}" for section in SECTIONS)
    return f"Kinds, with the fields of their own: {kinds}"


def choose_kinds(config: ExperimentConfig, argv: Sequence[str]) -> tuple[ExperimentConfig, list[str]]:
    """`config` with the kinds that `argv` chooses, and the other words of it.

    Raises:
        ConfigError: there is no such kind, or an option is of another kind or of an earlier version.
    """
    options = {f"--{section}.kind": section for section in SECTIONS}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in options:
            rest.append(word)
            continue
        if not equals and (value := next(words, "")) == "":
            raise ConfigError(f"{name} has no value: choose {', '.join(kinds_of(options[name]))}")
        config = with_kind(config, options[name], value)
    for word in rest:
        _require_fitting(config, word.partition("=")[0].replace("_", "-"))
    return config, rest


def _require_fitting(config: ExperimentConfig, option: str) -> None:
    """Refuses an option that tyro would only say it does not know of."""
    if option in OPTIONS:
        raise ConfigError(f"{option} was renamed: give {OPTIONS[option]}")
    section, _, field = option.removeprefix("--").partition(".")
    if section not in SECTIONS or not field:
        return
    field = field.replace("-", "_").removeprefix("no_")  # of a switch
    having = [name for name, kind in kinds_of(section).items() if field in rules_of(kind)]
    own = getattr(config, section).kind
    if having and own not in having:
        others = " or ".join(having)
        raise ConfigError(f"{option} is none of {own}'s: leave it out, or take --{section}.kind {others}")
