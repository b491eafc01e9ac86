"""Experiments in files: JSON in a run directory, Python in configs/."""

import dataclasses
import json
import runpy
import traceback
from pathlib import Path
from typing import Any

from jaxseq.config.schema import (
    DataConfig,
    ExperimentConfig,
    OptimizerConfig,
    RNNConfig,
    SampleConfig,
    TrainConfig,
    TransformerConfig,
)
from jaxseq.errors import ConfigError
from jaxseq.paths import expanded

_MODELS = {"rnn": RNNConfig, "transformer": TransformerConfig}


def to_dict(config: ExperimentConfig) -> dict[str, Any]:
    """`config` as JSON-ready dicts; the kind of model stands in model.family."""
    tree = dataclasses.asdict(config)
    family = next(name for name, kind in _MODELS.items() if type(config.model) is kind)
    tree["model"] = {"family": family, **tree["model"]}
    return tree


def from_dict(tree: dict[str, Any]) -> ExperimentConfig:
    """Inverse of `to_dict`.

    Raises:
        ConfigError: a section or field is unknown, missing, or holds an impossible value.
    """

    def build(kind: type, values: dict[str, Any], where: str) -> Any:
        names = {f.name for f in dataclasses.fields(kind)}
        strange = sorted(set(values) ^ names)
        if strange:
            raise ConfigError(f"{where} and this version of jaxseq disagree on the fields {', '.join(strange)}")
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})

    try:
        model = dict(tree["model"])
        sections = {
            "data": build(DataConfig, tree["data"], "data"),
            "model": build(_MODELS[model.pop("family")], model, "model"),
            "optimizer": build(OptimizerConfig, tree["optimizer"], "optimizer"),
            "train": build(TrainConfig, tree["train"], "train"),
            "sample": build(SampleConfig, tree["sample"], "sample"),
        }
        return ExperimentConfig(name=tree["name"], **sections)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"this is no jaxseq configuration: {error!r}") from error


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
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"config.json is no JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"config.json holds a {type(tree).__name__}, not an experiment")
    return from_dict(tree)


def differences(old: ExperimentConfig, new: ExperimentConfig) -> list[str]:
    """The fields in which two experiments differ, as "model.features: 128 -> 256".

    Names do not count, nor does the switch that looks for the cause of a run's trouble.
    """

    def flat(tree: dict[str, Any]) -> dict[str, Any]:
        return {f"{s}.{k}": v for s, section in tree.items() if isinstance(section, dict) for k, v in section.items()}

    a, b = flat(to_dict(old)), flat(to_dict(new))
    a["train.debug_nonfinite"] = b["train.debug_nonfinite"]
    return [
        f"{name}: {a.get(name, 'absent')!r} -> {b.get(name, 'absent')!r}"
        for name in dict.fromkeys([*a, *b])
        if a.get(name) != b.get(name)
    ]


def read_config(path: Path) -> ExperimentConfig:
    """The experiment in the config.json at `path`.

    Raises:
        ConfigError: it cannot be read, or is not that of an experiment.
    """
    try:
        return from_json(path.read_text(encoding="utf-8"))
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
    if not path.is_file():
        folder = Path("configs") if Path("configs").is_dir() else path.parent
        near = ", ".join(sorted(str(file) for file in folder.glob("*.py"))) or "none"
        raise ConfigError(f"there is no configuration {path}; those in {folder}/ are: {near}")
    try:
        defined = runpy.run_path(str(path))
    except Exception as error:
        raise ConfigError(f"{_place(path, error)}: {_told(error)}") from error
    config = defined.get("config")
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(f"{path} defines no `config`: end it with config = ExperimentConfig(...)")
    return config, defined["__doc__"] or ""


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
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
