"""Experiments in files: JSON in a run directory, Python in configs/."""

import dataclasses
import io
import json
import os
import sys
import traceback
import types
from pathlib import Path
from typing import Any, NamedTuple

from jaxseq.config.experiment import ExperimentConfig
from jaxseq.config.fields import FIXED, Resuming, on_one_line, require_known, rules_of, shown
from jaxseq.config.kinds import SECTIONS, Kind, kind_named
from jaxseq.config.old_formats import FORMAT, upgraded
from jaxseq.config.training import TrainConfig
from jaxseq.errors import ConfigError
from jaxseq.opening import read_text
from jaxseq.paths import expanded

_MOST_BYTES = 2**24
_ALL = ("format", "name", *SECTIONS, "train")


def to_dict(config: ExperimentConfig) -> dict[str, Any]:
    """`config` as JSON-ready dicts; the kind of a section stands before its fields."""
    tree = dataclasses.asdict(config)
    sections = {name: {"kind": getattr(config, name).kind, **tree[name]} for name in SECTIONS}
    return {"format": FORMAT, "name": config.name, **sections, "train": tree["train"]}


def from_dict(tree: dict[str, Any]) -> ExperimentConfig:
    """Inverse of `to_dict`, also of what earlier versions wrote. A field that is missing, as one of a later version's
    is in an older file, has its default.

    Raises:
        ConfigError: a section is missing, a section, kind or field unknown, or a value impossible.
    """
    tree = upgraded(tree)
    require_known(tree, _ALL, "")
    sections: dict[str, Any] = {}
    for name in SECTIONS:
        values = dict(tree[name])
        kind = kind_named(name, values.pop("kind", None))
        sections[name] = _section(name, kind, values)
    return ExperimentConfig(name=tree["name"], train=_section("train", TrainConfig, tree["train"]), **sections)


def _section(name: str, kind: type, values: dict[str, Any]) -> Any:
    require_known(values, rules_of(kind), f"{name}.")
    return kind(**values)


def with_kind(config: ExperimentConfig, section: str, name: str) -> ExperimentConfig:
    """`config` with another kind of `section`. What is no default stays where both kinds have the field, if it can go
    together; the rest are the defaults of the new kind.

    Raises:
        ConfigError: there is no such kind.
    """
    kind, old = kind_named(section, name), getattr(config, section)
    if type(old) is kind:
        return config
    usual = type(old)()
    chosen = {
        field: getattr(old, field) for field in rules_of(type(old)) if getattr(old, field) != getattr(usual, field)
    }
    try:
        new: Kind = kind(**{field: value for field, value in chosen.items() if field in rules_of(kind)})
    except ConfigError:
        new = kind()
    return dataclasses.replace(config, **{section: new})


def to_json(config: ExperimentConfig) -> str:
    """`config` as the text of a config.json."""
    text = json.dumps(to_dict(config), indent=2, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # a file name that is no UTF-8: JSON can escape what UTF-8 cannot express
        text = json.dumps(to_dict(config), indent=2) + "\n"
    return text


def from_json(text: str) -> ExperimentConfig:
    """Inverse of `to_json`.

    Raises:
        ConfigError: the text is no JSON, or not that of a configuration.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        tree = dict(pairs)
        if len(tree) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"config.json gives {shown(twice)} twice")
        return tree

    try:
        tree = json.loads(text, object_pairs_hook=once)
    except ConfigError:
        raise
    except ValueError as error:  # a number of thousands of digits is one too
        raise ConfigError(f"config.json is no JSON: {error}") from error
    except RecursionError as error:
        raise ConfigError("config.json is nested too deeply to be an experiment") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"config.json holds a {type(tree).__name__}, not an experiment")
    return from_dict(tree)


class Difference(NamedTuple):
    """A field in which two experiments differ; "absent" where the other kind has no such field."""

    name: str
    old: Any
    new: Any
    resuming: Resuming

    def __str__(self) -> str:
        return f"{self.name}: {shown(self.old)} -> {shown(self.new)}"


def differences(old: ExperimentConfig, new: ExperimentConfig) -> list[Difference]:
    """The fields in which two experiments differ, as "model.features: 128 -> 256". Names do not count."""
    a, b = _flat(old), _flat(new)
    return [
        Difference(name, a.get(name, "absent"), b.get(name, "absent"), _resuming(name, old, new))
        for name in dict.fromkeys([*a, *b])
        if a.get(name) != b.get(name)
    ]


def _flat(config: ExperimentConfig) -> dict[str, Any]:
    """Every field by its full name."""
    tree = to_dict(config)
    return {f"{s}.{k}": v for s, section in tree.items() if isinstance(section, dict) for k, v in section.items()}


def _resuming(name: str, *configs: ExperimentConfig) -> Resuming:
    """What is declared beside a field, in the first of `configs` that has it."""
    section, _, field = name.partition(".")
    rules = [rules_of(type(getattr(config, section))) for config in configs]
    declared = next((known[field].resuming for known in rules if field in known), FIXED)  # a kind is no field
    return declared or FIXED


def read_config(path: Path) -> ExperimentConfig:
    """The experiment in the config.json at `path`.

    Raises:
        ConfigError: it cannot be read, or is not that of an experiment.
    """
    try:
        return from_json(read_text(path, most=_MOST_BYTES))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): check the run directory") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is damaged: it is no UTF-8") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def load_config(path: str | Path) -> tuple[ExperimentConfig, str]:
    """The `config` that the Python file at `path` defines, and the file's docstring.

    Raises:
        ConfigError: there is no such file, it fails, or it defines no ExperimentConfig named `config`.
    """
    path = expanded(path)
    if not os.path.isfile(path):  # the method complains of a name that is too long
        folder = Path("configs") if Path("configs").is_dir() else path.parent
        near = ", ".join(sorted(str(file) for file in folder.glob("*.py"))) or "none"
        raise ConfigError(f"there is no configuration {path}; those in {folder}/ are: {near}")
    try:
        defined = _run(path)
    except Exception as error:
        raise ConfigError(f"{_place(path, error)}: {_told(error)}") from error
    config = defined.get("config")
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(f"{path} defines no `config`: end it with config = ExperimentConfig(...)")
    return config, defined["__doc__"] or ""


def _run(path: Path) -> dict[str, Any]:
    """What the Python file at `path` defines. Its module stays known, or help would not find what is written beside the
    fields of a kind that is defined there."""
    with io.open_code(str(path)) as file:
        code = compile(file.read(), str(path), "exec")
    module = types.ModuleType(f"<{path}>")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(code, module.__dict__)
    return module.__dict__


def _place(path: Path, error: Exception) -> str:
    """`path`, with the line of it that led to `error` where that is known."""
    if isinstance(error, SyntaxError):
        return f"{path}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)
    return f"{path}:{line}" if line else str(path)


def _told(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    message = str(error.msg if isinstance(error, SyntaxError) else error)
    return f"{type(error).__name__}: {on_one_line(' '.join(message.split()))}"
