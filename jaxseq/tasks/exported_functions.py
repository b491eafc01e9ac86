"""The variables of a model as named weights, as files hold them, and the functions of a task as functions of these."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jaxseq.interop.exported import ExportedFunction
from jaxseq.tasks.capabilities import ExportsFunctions
from jaxseq.tasks.task import Task, Variables

_PARAMS = "params"


def weights_of(variables: Variables) -> dict[str, Any]:
    """The parameters by their own names, and other collections below theirs."""
    params = dict(variables[_PARAMS])
    others = {name: tree for name, tree in variables.items() if name != _PARAMS}
    if both := params.keys() & others.keys():
        raise ValueError(f"{min(both)!r} is the name of a parameter and of a collection: rename the parameter")
    return params | others


def variables_of(weights: Mapping[str, Any], collections: Collection[str]) -> dict[str, Any]:
    """Inverse of `weights_of`.

    collections: names of those beside the parameters.
    """
    params = {name: tree for name, tree in weights.items() if name not in collections}
    return {_PARAMS: params, **{name: weights[name] for name in collections}}


def functions_of(task: Task, variables: Variables) -> dict[str, ExportedFunction]:
    """What a task exports, as functions of the weights; {} where it exports nothing of that kind."""
    if not isinstance(task, ExportsFunctions):
        return {}
    others = [name for name in variables if name != _PARAMS]

    def taking_weights(function: Callable[..., Any]) -> Callable[..., Any]:
        def taking(weights: Mapping[str, Any], *inputs: Any) -> Any:
            return function(variables_of(weights, others), *inputs)

        return taking

    return {
        name: dataclasses.replace(each, function=taking_weights(each.function))
        for name, each in task.functions().items()
    }
