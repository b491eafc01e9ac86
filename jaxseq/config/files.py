"""Experiments in files: JSON in a run directory, Python in configs/."""

import dataclasses
import importlib.util
import json
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
    return json.dumps(to_dict(config), indent=2, ensure_ascii=False) + "\n"


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
    """The fields in which two experiments differ, as "model.features: 128 -> 256"; names do not count."""

    def flat(tree: dict[str, Any]) -> dict[str, Any]:
        return {f"{s}.{k}": v for s, section in tree.items() if isinstance(section, dict) for k, v in section.items()}

    a, b = flat(to_dict(old)), flat(to_dict(new))
    return [
        f"{name}: {a.get(name, 'absent')!r} -> {b.get(name, 'absent')!r}"
        for name in dict.fromkeys([*a, *b])
        if a.get(name) != b.get(name)
    ]


def load_config(path: str | Path) -> tuple[ExperimentConfig, str]:
    """The `config` that the Python file at `path` defines, and the file's docstring.

    Raises:
        ConfigError: there is no such file, or it defines no ExperimentConfig named `config`.
    """
    path = Path(path)
    if not path.is_file():
        near = ", ".join(sorted(p.name for p in path.parent.glob("*.py"))) or "none"
        raise ConfigError(f"there is no configuration {path}; in {path.parent}/ there are: {near}")
    spec = importlib.util.spec_from_file_location(f"jaxseq_config_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = getattr(module, "config", None)
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(f"{path} defines no `config`: end it with config = ExperimentConfig(...)")
    return config, module.__doc__ or ""
