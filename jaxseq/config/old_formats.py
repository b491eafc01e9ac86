"""What earlier versions called the fields of an experiment: their config.json goes on being read.

Format 1 (versions 0.1 and 0.2) had no number; one kind of task and of data, the sample in a section of its own, the
kind of model in model.family, that of optimizer in optimizer.name, with the fields of all optimizers beside it.
"""

from collections.abc import Mapping
from typing import Any

from jaxseq.config.fields import refuse, require_known, rules_of, shown
from jaxseq.config.kinds import SECTIONS, kinds_of
from jaxseq.config.optimizers import OptimizerConfig
from jaxseq.errors import ConfigError

FORMAT = 2
"""That of this version."""

_NAMES = {1: ("name", "data", "model", "optimizer", "train", "sample"), FORMAT: ("name", *SECTIONS, "train")}
_SAMPLE = {"prompt": "prompt", "length": "sample_length", "temperature": "temperature"}
OPTIONS = {
    "--model.predict": "--task.predict",
    "--optimizer.name": "--optimizer.kind",
    **{f"--sample.{old}": f"--task.{new.replace('_', '-')}" for old, new in _SAMPLE.items()},
}
"""What options of earlier versions are called by now."""
_OPTIMIZERS = ("adam", "adamw", "rmsprop", "adadelta", "sgd")


def upgraded(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of a config.json in the format of this version.

    Raises:
        ConfigError: it is of a later format, or lacks a section.
    """
    number = tree.get("format", 1)
    if type(number) is not int or number < 1:
        raise refuse("format", number, f"give a whole number from 1 to {FORMAT}")
    if number > FORMAT:
        raise ConfigError(f"format is {number}, this version of jaxseq knows {FORMAT}: use the one that wrote it")
    for name in _NAMES[number]:
        if name not in tree:
            raise ConfigError(f"this is no jaxseq configuration: it has no {name}")
        if name != "name" and not isinstance(tree[name], dict):
            raise ConfigError(f"this is no jaxseq configuration: {name} is {shown(tree[name])}, not a section")
    return dict(tree) if number == FORMAT else _from_1(dict(tree))


def _from_1(tree: dict[str, Any]) -> dict[str, Any]:
    require_known(tree, ("format", *_NAMES[1]))
    for section in ("data", "model", "optimizer"):
        require_known(tree[section].keys() & {"kind"}, (), f"{section}.")  # a name of format 2
    sample, model = tree.pop("sample"), dict(tree["model"])
    require_known(sample, _SAMPLE, "sample.")
    task = {_SAMPLE[field]: value for field, value in sample.items()}
    kind = model.pop("family", None)
    if kind == "rnn" and "predict" in model:
        task["predict"] = model.pop("predict")
    return {
        **tree,
        "format": FORMAT,
        "task": {"kind": "language_modeling", **task},
        "data": {"kind": "corpus", **tree["data"]},
        "model": {"kind": kind, **model},
        "optimizer": _optimizer_from_1(dict(tree["optimizer"])),
    }


def _optimizer_from_1(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of its own kind; those of other kinds had no effect."""
    kind, kinds = values.pop("name", "adam"), kinds_of("optimizer")
    of_others = {field for name in _OPTIMIZERS for field in rules_of(kinds[name])}
    own = rules_of(kinds.get(kind, OptimizerConfig) if isinstance(kind, str) else OptimizerConfig)
    return {"kind": kind, **{field: value for field, value in values.items() if field in own or field not in of_others}}
