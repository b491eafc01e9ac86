"""An experiment on a command line: a configuration by its name, and options that change it."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

from jaxseq.commands.arguments import parse
from jaxseq.commands.kinds import choose_kinds, list_kinds
from jaxseq.config import ExperimentConfig, load_config

Arguments = TypeVar("Arguments", bound=ExperimentConfig)


def parse_experiment(
    kind: type[Arguments],
    argv: Sequence[str],
    *,
    program: str,
    usage: str,
    description: str,
    read: Callable[[str], tuple[ExperimentConfig, str]] = load_config,
) -> tuple[ExperimentConfig, Arguments]:
    """The experiment, and with it what else a `kind` holds.

    Args:
        usage: what help calls the name of a configuration, which stands first, if at all.
        description: of what is done without one.
        read: the configuration of a name, and what is told of it.

    Raises:
        ConfigError: it cannot be read, or options do not fit it.
    """
    argv, named, config = list(argv), "", ExperimentConfig()
    if argv and not argv[0].startswith("-"):
        named = argv.pop(0)
        config, description = read(named)
    config, argv = choose_kinds(config, argv)
    names = [field.name for field in dataclasses.fields(ExperimentConfig)]
    arguments = parse(
        kind,
        argv,
        program=f"{program} {named}".rstrip(),
        usage="" if named else usage,
        description=f"{description.rstrip()}\n\n{list_kinds()}",
        default=kind(**{name: getattr(config, name) for name in names}),
    )
    return ExperimentConfig(**{name: getattr(arguments, name) for name in names}), arguments
