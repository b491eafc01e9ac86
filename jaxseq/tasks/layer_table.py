"""The layers of any Flax model, for the table that a run starts with."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxseq.tasks.task import LayerOutputs


def traced_layers(model: nn.Module, *inputs: Any, kinds: Mapping[str, str] | None = None) -> LayerOutputs:
    """The layers of `model`, and what each gives for inputs of these shapes; nothing is computed.

    Args:
        kinds: what a layer is called, by the name of its class.
    """
    shapes: dict[tuple[str, ...], jax.ShapeDtypeStruct] = {}
    found: dict[str, str] = {}

    def note_kind(method: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        if context.module.scope is not None:  # under python -O Flax leaves this function in place for ever
            kind = type(context.module).__name__
            found["/".join(context.module.path)] = (kinds or {}).get(kind, kind)
        return method(*args, **kwargs)

    def trace(*inputs: Any) -> Any:
        variables: Any = model.init(jax.random.key(0), *inputs)
        # Noted here, since a dict of what a traced function returns has its keys sorted.
        leaves: Any = flatten_dict(variables["params"])
        shapes.update({path: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for path, leaf in leaves.items()})
        with nn.intercept_methods(note_kind):
            return model.apply(variables, *inputs, capture_intermediates=True, mutable=["intermediates"])[1]

    outputs = jax.eval_shape(trace, *inputs)["intermediates"]
    return LayerOutputs(unflatten_dict(shapes), outputs, found)
