"""The table of layers of models that are tables of vectors, for which losses look up what they need."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jaxseq.tasks.task import LayerOutputs, Task


def table_outputs(task: Task, places: Mapping[str, int], *, rows: int) -> LayerOutputs:
    """The tables of `task`, and the vectors that are looked up in each for a batch, but for those of negatives.

    Args:
        places: of each table, by its name, how many vectors a row of a batch takes, in the order of their use.
        rows: of a batch.
    """
    params = jax.eval_shape(task.init, jax.random.key(0))["params"]
    shapes = {name: params[name] for name in places}
    outputs = {
        name: {"__call__": (jax.ShapeDtypeStruct((rows, count, params[name]["table"].shape[1]), jnp.float32),)}
        for name, count in places.items()
    }
    return LayerOutputs(shapes, outputs, dict.fromkeys(places, "Embedding"))
