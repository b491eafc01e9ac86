"""The layers of any Flax model, for the table that a run starts with and `jaxseq summary` prints."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxseq.ops.lookup import Lookup
from jaxseq.ops.objective import LossContext, LossOutput
from jaxseq.reporting.multiply_adds import layer_scope, multiply_adds
from jaxseq.tasks.task import LayerOutputs, Task


class _Seen(NamedTuple):
    """What came by while modules were traced, by path, in the order of their first calls."""

    kinds: dict[str, str]
    returned: dict[str, Any]
    """Shapes of what `__call__` gave for the first time."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While entered, modules are noted, and their products stand in a scope of their own."""

        def note(method: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
            if context.module.scope is None:  # under python -O Flax leaves this function in place for ever
                return method(*args, **kwargs)
            path = _path(context.module)
            self.kinds[path] = type(context.module).__name__
            with layer_scope(path):
                returned = method(*args, **kwargs)
            if context.method_name == "__call__" and path not in self.returned:
                self.returned[path] = _shapes(returned)
            return returned

        with nn.intercept_methods(note):
            yield


def traced_layers(model: nn.Module, *inputs: Any, kinds: Mapping[str, str] | None = None) -> LayerOutputs:
    """The layers of `model`, and what each gives for inputs of these shapes; nothing is computed.

    Args:
        inputs: arrays or shapes, the rows of a batch leading.
        kinds: what a layer is called, by the name of its class.
    """
    params: dict[tuple[str, ...], jax.ShapeDtypeStruct] = {}
    seen = _Seen({}, {})

    def init(*inputs: Any) -> Any:
        variables: Any = model.init(jax.random.key(0), *inputs)
        # Noted here, since a dict of what a traced function returns has its keys sorted.
        params.update({path: _shapes(leaf) for path, leaf in flatten_dict(variables["params"]).items()})
        return variables

    def watched(variables: Any, *inputs: Any) -> Any:  # another function each time, for JAX keeps what it has traced
        with seen.watching():
            return model.apply(variables, *inputs)

    def products() -> Mapping[str, int]:
        return _counted(lambda variables, inputs: model.apply(variables, *inputs), variables, _first_row(inputs))

    variables = jax.eval_shape(init, *inputs)
    jax.eval_shape(watched, variables, *inputs)

    named = {path: (kinds or {}).get(kind, kind.lstrip("_")) for path, kind in seen.kinds.items()}
    return LayerOutputs(unflatten_dict(params), _outputs(seen.returned, rows=inputs[0].shape[0]), named, products)


def with_tables(found: LayerOutputs, tables: Mapping[str, tuple[int, ...]]) -> LayerOutputs:
    """`found`, with a row of its own for each of these parameters that is there.

    Args:
        tables: by the path of a parameter [v, d] the shape of the ids that its rows are looked up for, by no module of
            its own.
    """
    params: Any = flatten_dict(found.shapes, sep="/")
    there = {path: (*ids, params[path].shape[-1]) for path, ids in tables.items() if path in params}
    outputs: Any = flatten_dict(found.outputs, sep="/")
    outputs.update({path: jax.ShapeDtypeStruct(shape, jnp.float32) for path, shape in there.items()})
    kinds = {**found.kinds, **dict.fromkeys(there, "Embedding")}
    return found._replace(outputs=unflatten_dict(outputs, sep="/"), kinds=kinds)


def loss_products(task: Task) -> Mapping[str, int]:
    """The multiply-adds of the loss of one row of a training batch, by the path of the module that makes them; under
    "loss" those that none makes. Nothing is computed."""
    key = jax.random.key(0)
    batch = _first_row(task.loader("train", train=True)(0))
    variables, carry = jax.eval_shape(task.init, key), jax.eval_shape(lambda: task.initial_carry(1))

    def loss(variables: Any, given: Any) -> LossOutput:
        carry, batch, step, key = given
        return task.loss(variables, carry, batch, LossContext(step, key))

    counts = _counted(loss, variables, (carry, batch, jnp.int32(0), key))
    return {path or "loss": count for path, count in counts.items()}


def _counted(function: Callable[[Any, Any], Any], variables: Any, given: Any) -> Mapping[str, int]:
    """The multiply-adds of `function(variables, given)` by the path of the module they belong to."""
    with _Seen({}, {}).watching():
        program = jax.make_jaxpr(function)(variables, given)
    return multiply_adds(program, [_owner(path) for path, _ in jax.tree.leaves_with_path(variables)])


def _owner(path: Any) -> str:
    """The layer of a variable: that of the module that holds it; one of the model's own is a layer itself."""
    _, *names = jax.tree_util.keystr(path, simple=True, separator="/").split("/")  # without that of the collection
    return "/".join(names[:-1] or names)


def _first_row(batch: Any) -> Any:
    """Shapes of a batch of one row."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype), batch)


def _path(module: nn.Module) -> str:
    """The names down to `module`, its own too where its parameters stand among those of the module above."""
    path = module.path
    return "/".join(path if module.name is None or module.name in path[-1:] else (*path, module.name))


def _shapes(returned: Any) -> Any:
    def shape(x: Any) -> Any:
        return jax.ShapeDtypeStruct(x.shape, jnp.float32 if isinstance(x, Lookup) else jnp.result_type(x))

    return jax.tree.map(shape, returned, is_leaf=lambda x: isinstance(x, Lookup))


def _outputs(returned: Mapping[str, Any], *, rows: int) -> Mapping[str, Any]:
    """What has a batch axis in what modules gave, as Flax captures intermediates."""
    outputs = {}
    for path, each in returned.items():
        kept = jax.tree.map(lambda x: x if x.shape[:1] == (rows,) else None, each)
        outputs[(*filter(None, path.split("/")), "__call__")] = (kept,)
    return unflatten_dict(outputs)
